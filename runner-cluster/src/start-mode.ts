import { readFileSync } from "node:fs";
import { OrgId, RunId, sessionPod } from "@millrace/contracts";
import { z } from "zod";
import type { McpServer } from "./mcp/mcp-server.ts";
import {
  McpSettingsWrong,
  noMcpSettings,
  readMcpServers,
  type McpSettings,
} from "./mcp/read-mcp-servers.ts";
import { WorkflowWish } from "./repos/workflow.ts";
import {
  noCommandSettings,
  readCommandSettings,
  type CommandSettings,
} from "./secrets/command-settings.ts";

/** What this process is here for. */
export type StartMode =
  /** Takes run after run from its pool. */
  | { readonly kind: "pool"; readonly token: () => string }
  /** Waits in its pool for one run with a session of its own, executes it and ends. */
  | { readonly kind: "warm"; readonly token: () => string; readonly podName: string | undefined }
  /** Executes the one attempt that its pod was made for, and ends. */
  | {
      readonly kind: "session";
      readonly orgId: string;
      readonly runId: string;
      readonly attempt: number;
      readonly readToken: () => string | undefined;
      readonly commands: CommandSettings;
      readonly workflow: WorkflowWish | undefined;
      readonly mcpServers: readonly McpServer[];
    };

export type StartResult =
  | { readonly ok: true; readonly start: StartMode }
  | { readonly ok: false; readonly problem: string };

const token = z
  .string()
  .trim()
  // It travels in a header.
  .regex(/^[!-~]+$/, "only ASCII, without blanks");

/** How a process is told what it is for; `--help` prints these among its settings. */
export const StartKnobs = z.object({
  RUNNER_MODE: z
    .enum(["pool", "warm", sessionPod.mode])
    .default("pool")
    .describe("pool: run after run; warm, session: one run in a pod of its own"),
  POOL_TOKEN: token.optional().describe("opens the pool; the edge prints the one it made"),
  POOL_TOKEN_FILE: z
    .string()
    .optional()
    .describe("a file that holds it instead, read at each connect"),
  POD_NAME: z.string().optional().describe("of a warm runner: the pod that becomes a session"),
});

const Session = z.object({
  [sessionPod.env.orgId]: OrgId,
  [sessionPod.env.runId]: RunId,
  [sessionPod.env.attempt]: z.coerce.number().int().positive(),
  [sessionPod.env.tokenFile]: z.string().min(1),
  [sessionPod.env.commandEnvFile]: z.string().optional(),
  [sessionPod.env.commandSecretsDir]: z.string().optional(),
  [sessionPod.env.workflow]: z.string().transform(parseJson).pipe(WorkflowWish).optional(),
  [sessionPod.env.mcpFile]: z.string().optional(),
});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Reads what a process is here for. A session's variables are its operator's (contracts, session-pod.ts). */
export function readStart(
  knobs: z.output<typeof StartKnobs>,
  raw: Readonly<Record<string, string | undefined>>,
): StartResult {
  const { RUNNER_MODE: kind, POD_NAME: podName } = knobs;
  if (kind === "session") return readSession(raw);
  const poolToken = readPoolToken(knobs);
  if (poolToken === null) {
    return { ok: false, problem: "POOL_TOKEN or POOL_TOKEN_FILE: one of them is required" };
  }
  if (kind === "pool") return { ok: true, start: { kind, token: poolToken } };
  return { ok: true, start: { kind, token: poolToken, podName } };
}

function readSession(raw: Readonly<Record<string, string | undefined>>): StartResult {
  const { env } = sessionPod;
  const read = Session.safeParse(raw);
  if (!read.success) return { ok: false, problem: z.prettifyError(read.error) };
  const file = read.data[env.tokenFile];
  const secretsDir = read.data[env.commandSecretsDir];
  const mcp = readMcp(read.data[env.mcpFile], secretsDir);
  if (typeof mcp === "string") return { ok: false, problem: mcp };
  const commands = readCommands(read.data[env.commandEnvFile], secretsDir, mcp.secretKeys);
  if (typeof commands === "string") return { ok: false, problem: commands };
  const start = {
    kind: "session",
    orgId: read.data[env.orgId],
    runId: read.data[env.runId],
    attempt: read.data[env.attempt],
    readToken: () => readToken(file),
    commands,
    workflow: read.data[env.workflow],
    mcpServers: mcp.servers,
  } as const;
  return { ok: true, start };
}

/** A string says what is wrong. It quotes nothing: there may be a secret in it. */
function readCommands(...from: Parameters<typeof readCommandSettings>): CommandSettings | string {
  try {
    return readCommandSettings(...from);
  } catch (error) {
    const [envFile, secretsDir] = from;
    return `the session's env or Secrets cannot be read (${nameOf(error)}): ${envFile}, ${secretsDir}`;
  }
}

/** As above. */
function readMcp(file: string | undefined, secretsDir: string | undefined): McpSettings | string {
  if (file === undefined) return noMcpSettings;
  try {
    return readMcpServers(file, secretsDir);
  } catch (error) {
    if (error instanceof McpSettingsWrong) return error.message;
    return `the session's mcpServers cannot be read (${nameOf(error)}): ${file}`;
  }
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : "unknown");

/** Null: neither is set. A file that cannot be read now may be there at the next connect: the last token is tried. */
function readPoolToken(knobs: z.output<typeof StartKnobs>): (() => string) | null {
  const { POOL_TOKEN: fixed, POOL_TOKEN_FILE: file } = knobs;
  if (file === undefined) return fixed === undefined ? null : () => fixed;
  let last = fixed ?? "";
  return () => (last = readToken(file) ?? last);
}

function readToken(file: string): string | undefined {
  try {
    const read = token.safeParse(readFileSync(file, "utf8"));
    return read.success ? read.data : undefined;
  } catch {
    return undefined;
  }
}

/** What the commands of this process's runs are given beside what all have. */
export const commandsOf = (start: StartMode): CommandSettings =>
  start.kind === "session" ? start.commands : noCommandSettings;

/** The MCP servers that this process's runs may use. */
export const mcpServersOf = (start: StartMode): readonly McpServer[] =>
  start.kind === "session" ? start.mcpServers : [];

/** The tokens as they are now, and a session's secrets: they must appear in no log line and no event. */
export function secretsOfStart(start: StartMode): readonly string[] {
  const now = start.kind === "session" ? start.readToken() : start.token();
  const tokens = now === undefined || now === "" ? [] : [now];
  return [...tokens, ...commandsOf(start).secrets];
}
