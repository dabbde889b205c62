import { join } from "node:path";
import { secretsOfTracing, type Tracing } from "@millrace/telemetry";
import { openProxyVariables, proxyVariables, secretsOfProxy } from "./edge/proxy.ts";
import { EdgeWorkspaceStore } from "./edge/edge-workspace-store.ts";
import { execute } from "./engine/execute.ts";
import type { RunnerEnv } from "./env.ts";
import type { Logger } from "./log.ts";
import type { RunnerOptions } from "./runner.ts";
import { commandsOf, mcpServersOf, secretsOfStart } from "./start-mode.ts";
import type { HostSettings } from "./workspaces/host-config.ts";
import { openHostWorkspace } from "./workspaces/open-host-workspace.ts";

/** How this runner keeps projects on its disk, as its environment says. */
export function hostSettings(env: RunnerEnv, runnerId: string, log: Logger): HostSettings {
  const wish = env.start.kind === "session" ? env.start.workflow : undefined;
  const folder = join(env.STATE_DIR, "workflow");
  return {
    workspaceRoot: env.WORKSPACE_ROOT,
    runnerId,
    zip: { maxBytes: env.ZIP_MAX_BYTES, maxFiles: env.ZIP_MAX_FILES },
    gitIdentity: { name: env.AGENT_GIT_NAME, email: env.AGENT_GIT_EMAIL },
    autoGitCommit: env.AUTO_GIT_COMMIT,
    isolation: env.RUNNER_ISOLATION,
    commandVariables: { ...openProxyVariables(env), ...commandsOf(env.start).variables },
    remotes: {
      allowLoopback: env.REPOS_FROM_LOOPBACK,
      secretsDir: commandsOf(env.start).secretsDir,
      variables: proxyVariables(env),
    },
    ...(wish && { workflow: { wish, folder }, visiblePaths: [folder] }),
    log,
  };
}

/** The engine on a host workspace, joined to the attempt's own files at the edge. */
export function makeExecute(
  env: RunnerEnv,
  host: HostSettings,
  tracing: Promise<Tracing>,
): RunnerOptions["execute"] {
  return async ({ attempt, edge }, log) => {
    const signals = { uploads: attempt.fenced, downloads: attempt.signal };
    const store = new EdgeWorkspaceStore(edge, signals);
    const { tracer } = await tracing;
    return execute(attempt, {
      env,
      providers: env.providers,
      secrets: [
        ...secretsOfStart(env.start),
        ...secretsOfTracing(env.tracing),
        ...secretsOfProxy(env),
      ],
      mcpServers: mcpServersOf(env.start),
      openWorkspace: (start, opener) => openHostWorkspace(start, opener, { ...host, store, log }),
      fetch,
      clock: { now: Date.now, random: Math.random },
      tracer,
      log,
    });
  };
}
