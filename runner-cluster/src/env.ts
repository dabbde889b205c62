import { homedir } from "node:os";
import { resolve } from "node:path";
import { PoolName, ProxySettings, proxySpellings } from "@millrace/contracts";
import { readTraceSettings, secretsOfTracing, type TraceSettings } from "@millrace/telemetry";
import { z } from "zod";
import { secretsOfProxy } from "./edge/proxy.ts";
import { EngineEnv, Milliseconds } from "./engine/engine-env.ts";
import { ProviderEnv, secretsOf, variablesOf } from "./models/provider-env.ts";
import { providers } from "./models/providers.ts";
import { readStart, secretsOfStart, StartKnobs, type StartMode } from "./start-mode.ts";
import { isWithin } from "./workspaces/system-view.ts";

const positive = (fallback: number) => z.coerce.number().int().positive().default(fallback);
const directory = (fallback: string) =>
  z
    .string()
    .min(1)
    .default(fallback)
    .transform((given) => resolve(given.replace(/^~(?=\/|$)/, homedir())));

const bounds = EngineEnv.shape;

const Knobs = z.object({
  EDGE_URL: z
    .url({ protocol: /^https?$/ })
    .default("http://127.0.0.1:8787")
    .describe("the edge this runner works for"),
  ...StartKnobs.shape,
  ...ProxySettings.shape,
  POOL: PoolName.default("default").describe("the pool to join"),
  EDGE_WAIT_MS: Milliseconds.default(120_000).describe(
    "how long a session waits for an edge that does not answer",
  ),
  RUNNER_SLOTS: positive(4).describe("runs executed at a time"),
  STATE_DIR: directory(".state").describe("the edge's local state; never inside WORKSPACE_ROOT"),
  WORKSPACE_ROOT: directory(".workspaces").describe(
    "one directory per project; beside STATE_DIR when only that is set",
  ),
  AUTO_GIT_COMMIT: z.stringbool().default(true).describe("commit what a run changed"),
  AGENT_GIT_NAME: z.string().min(1).default("Millrace Agent").describe("author of those commits"),
  AGENT_GIT_EMAIL: z
    .string()
    .min(1)
    .default("agent@millrace.invalid")
    .describe("and the author's address"),
  REPOS_FROM_LOOPBACK: z
    .stringbool()
    .default(false)
    .describe("clone from http://127.0.0.1 too; for development"),
  ZIP_MAX_BYTES: positive(250 * 1024 * 1024).describe("largest archive of a workspace"),
  ZIP_MAX_FILES: positive(20_000).describe("most files in an archive"),
  COMMAND_TIMEOUT_MS: bounds.COMMAND_TIMEOUT_MS.describe("a command is killed after this"),
  MODEL_SILENCE_MS: bounds.MODEL_SILENCE_MS.describe("a model call silent for this is given up"),
  PHASE_STEP_LIMIT: bounds.PHASE_STEP_LIMIT.describe("model calls in one phase"),
  RUN_TIMEOUT_MS: bounds.RUN_TIMEOUT_MS.describe("a run, all its attempts together"),
  DRAIN_DEADLINE_MS: Milliseconds.default(25_000).describe(
    "from SIGTERM to the end of the process",
  ),
  RUNNER_ISOLATION: z
    .enum(["auto", "require", "off"])
    .default("auto")
    .describe("commands see only their project: where possible, always or never"),
});
type Knobs = z.output<typeof Knobs>;

/** Everything that the runner was told from outside. */
export type RunnerEnv = Knobs & {
  readonly providers: ProviderEnv;
  readonly start: StartMode;
  /** Null: no spans are exported. */
  readonly tracing: TraceSettings | null;
};

export type EnvResult =
  | { readonly ok: true; readonly env: RunnerEnv }
  | { readonly ok: false; readonly problem: string };

/** Parses the environment. `KEY=` means "not set". Its only caller is main.ts. */
export function readEnv(raw: NodeJS.ProcessEnv): EnvResult {
  const told = { ...raw, ...proxySpellings(raw) };
  const set = withOwnRoot(
    Object.fromEntries(Object.entries(told).filter(([, value]) => value?.trim())),
  );
  const knobs = Knobs.safeParse(set);
  if (!knobs.success) return { ok: false, problem: z.prettifyError(knobs.error) };
  const start = readStart(knobs.data, set);
  if (!start.ok) return start;
  const provider = ProviderEnv.safeParse(set);
  if (!provider.success) return { ok: false, problem: z.prettifyError(provider.error) };
  const tracing = readTraceSettings(set, "millrace-runner");
  if (!tracing.ok) return tracing;
  const { STATE_DIR, WORKSPACE_ROOT } = knobs.data;
  if (isWithin(STATE_DIR, WORKSPACE_ROOT)) {
    return { ok: false, problem: "STATE_DIR must not lie inside WORKSPACE_ROOT" };
  }
  const more = { providers: provider.data, start: start.start, tracing: tracing.settings };
  return { ok: true, env: { ...knobs.data, ...more } };
}

/** A second state gets workspaces of its own, here as with `npm start`. */
function withOwnRoot(set: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  if (!set["STATE_DIR"] || set["WORKSPACE_ROOT"]) return set;
  return { ...set, WORKSPACE_ROOT: `${set["STATE_DIR"].replace(/\/+$/, "")}-workspaces` };
}

/** Values that must appear in no log line and no event. */
export function secretValues(env: RunnerEnv): readonly string[] {
  return [
    ...secretsOfStart(env.start),
    ...secretsOf(env.providers),
    ...secretsOfTracing(env.tracing),
    ...secretsOfProxy(env),
  ];
}

/** What `--help` prints. */
export function describeEnv(): string {
  const knobs = Object.entries(Knobs.shape).map(([name, schema]) => {
    const fallback = schema.safeParse(undefined);
    const value = fallback.success ? `(${String(fallback.data ?? "not set")})` : "(required)";
    return `  ${name.padEnd(20)} ${schema.description ?? ""} ${value}`;
  });
  const keys = providers.map((provider) => {
    return `  ${provider.name.padEnd(20)} ${variablesOf(provider).join(" ")}`;
  });
  return [
    "millrace runner: executes runs for an edge. Settings come from the environment:",
    "",
    ...knobs,
    `  ${"AGENT_PROVIDER".padEnd(20)} provider of runs that name none (the first with a key)`,
    `  ${"AGENT_MODEL".padEnd(20)} model of runs that name none (the provider's default)`,
    `  ${"AGENT_TEMPERATURE".padEnd(20)} of every model call, 0 to 2 (the provider's default)`,
    `  ${"AGENT_MAX_TOKENS".padEnd(20)} bound on each answer of the model (the provider's default)`,
    `  ${"OTEL_EXPORTER_OTLP_…".padEnd(20)} where spans go: OpenTelemetry's own variables (nowhere)`,
    "",
    "Keys, models, base URLs and options of the providers:",
    "",
    ...keys,
    "",
  ].join("\n");
}
