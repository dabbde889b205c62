/**
 * What a session's pod finds, and what its runner answers with: the operator sets these variables and mounts these
 * files, the runner reads them. Everything about the run itself comes with the claim.
 */
export const sessionPod = {
  /** The only container that an operator judges the pod by. */
  container: "runner",
  /** Variables of the runner's process; they are not passed on to commands. */
  env: {
    mode: "RUNNER_MODE",
    runId: "MILLRACE_RUN_ID",
    attempt: "MILLRACE_ATTEMPT",
    orgId: "MILLRACE_ORG_ID",
    projectId: "MILLRACE_PROJECT_ID",
    /** File with the run token of this attempt; read again at each connect, since it is renewed in place. */
    tokenFile: "MILLRACE_RUN_TOKEN_FILE",
    /** File with the session's `spec.env` as JSON, for commands. */
    commandEnvFile: "MILLRACE_COMMAND_ENV_FILE",
    /** Directory with a directory per entry of `spec.secretRefs`: a file per key, for commands. */
    commandSecretsDir: "MILLRACE_COMMAND_SECRETS_DIR",
    /** The session's `spec.workflow` as JSON; not set when it has none. */
    workflow: "MILLRACE_WORKFLOW",
    /** File with the session's `spec.mcpServers` as JSON; not set when it has none. */
    mcpFile: "MILLRACE_MCP_FILE",
  },
  /** Value of `RUNNER_MODE` in a session's pod: one run, one attempt, then exit. */
  mode: "session",
  /** Value of `RUNNER_MODE` in an idle pod that becomes a session with the first run that it is given. */
  warmMode: "warm",
  tokenKey: "token",
  commandEnvKey: "env.json",
  mcpKey: "mcp.json",
  paths: {
    run: "/run/millrace/session",
    secrets: "/run/millrace/secrets",
    state: "/var/lib/millrace/state",
    workspaces: "/var/lib/millrace/workspaces",
    temporary: "/tmp",
  },
} as const;

/** How a session's runner ends. Another code is a crash. */
export const sessionExitCode = {
  /** The run is over, was handed back, or belongs to another attempt now: there is nothing to do here. */
  done: 0,
  crashed: 1,
  /** A setting is missing or malformed; another attempt would find the same. */
  badSettings: 2,
  /** A repository could not be cloned. */
  repositoryFailed: 3,
  /** The edge did not take the run token. */
  tokenRefused: 4,
  /** The edge could not be reached for as long as the runner may wait. */
  edgeUnreachable: 5,
  /** An MCP server could not be used. */
  mcpServerFailed: 6,
} as const;
