import { z } from "zod";
import { FailureCode } from "./errors.ts";

/** The two phases of the coding engine: `plan` reads, `build` changes. */
export const Phase = z.enum(["plan", "build"]);
export type Phase = z.infer<typeof Phase>;

/** Tokens as the provider reported them. What it did not report is null, never guessed (P10). */
export const Usage = z.object({
  inputTokens: z.int().nonnegative().nullable(),
  outputTokens: z.int().nonnegative().nullable(),
  totalTokens: z.int().nonnegative().nullable(),
  /** Part of inputTokens, not on top of it. */
  cachedInputTokens: z.int().nonnegative().nullable(),
  /** Part of outputTokens, not on top of it. */
  reasoningOutputTokens: z.int().nonnegative().nullable(),
});
export type Usage = z.infer<typeof Usage>;

export const Todo = z.object({
  id: z.string(),
  title: z.string(),
  details: z.string().optional(),
  acceptanceCriteria: z.array(z.string()).optional(),
  status: z.enum(["pending", "in_progress", "completed"]).optional(),
});
export type Todo = z.infer<typeof Todo>;

const Json = z.json();
/** `reason`: of `session_failed`, the word that a cluster has for it (session-protocol.ts). */
const Failure = z.object({
  code: FailureCode,
  error: z.string(),
  reason: z.string().optional(),
});
const ToolCall = { callId: z.string(), name: z.string(), phase: Phase };

const RepoPlace = { url: z.string(), path: z.string() };

/** Data of the events that only the run object itself writes. */
const objectEventData = {
  "run.queued": z.object({ runIndex: z.int(), kind: z.enum(["run", "message"]) }),
  /** `supersedes` is the range of seqs that a dead attempt wrote and this one replaces. */
  "run.started": z.object({
    attempt: z.int().positive(),
    maxAttempts: z.int().positive(),
    runnerId: z.string(),
    supersedes: z.object({ from: z.int(), to: z.int() }).optional(),
  }),
  "run.attempt_failed": Failure.extend({
    attempt: z.int(),
    attempts: z.int(),
    maxAttempts: z.int(),
  }),
  "run.retrying": z.object({ nextAttempt: z.int(), backoffMs: z.int() }),
  /** `reason` as in `RunWait`. `question`: what the model asks its user. */
  "run.waiting": z.object({ reason: z.string(), question: z.string().optional() }),
  /** A user's answer or message; `content` null: the run is to come to its end. */
  "run.input": z.object({ n: z.int().positive(), content: z.string().nullable(), by: z.string() }),
  "run.resumed": z.object({ reason: z.string() }),
  "run.cancelling": z.object({ by: z.string() }),
  "run.succeeded": z.object({
    output: z.string(),
    usage: Usage.nullable(),
    durationMs: z.int().nonnegative(),
  }),
  "run.failed": Failure.extend({
    attempts: z.int(),
    maxAttempts: z.int(),
    usage: Usage.nullable(),
    durationMs: z.int().nonnegative(),
  }),
  /** `reported`: what the runner said in the end; `forced`: it never answered; `stopped`: its process is known dead. */
  "run.cancelled": z.object({
    reported: z.enum(["succeeded", "failed", "cancelled"]).optional(),
    forced: z.boolean().optional(),
    stopped: z.boolean().optional(),
  }),
} as const;

/** Data of the events that a runner may append. */
const runnerEventData = {
  "run.phase": z.object({
    phase: Phase,
    state: z.enum(["started", "completed", "transition"]),
    from: Phase.optional(),
  }),
  "run.plan": z.object({ phase: Phase, summary: z.string(), todos: z.array(Todo) }),
  "text.started": z.object({ messageId: z.string(), phase: Phase }),
  "text.delta": z.object({ messageId: z.string(), text: z.string() }),
  "text.finished": z.object({ messageId: z.string(), interrupted: z.boolean().optional() }),
  "reasoning.started": z.object({ messageId: z.string(), phase: Phase }),
  "reasoning.delta": z.object({ messageId: z.string(), text: z.string() }),
  "reasoning.finished": z.object({ messageId: z.string(), interrupted: z.boolean().optional() }),
  "tool.started": z.object({ ...ToolCall, input: Json }),
  "tool.output": z.object({
    ...ToolCall,
    cmd: z.string().optional(),
    stream: z.enum(["stdout", "stderr"]),
    chunk: z.string(),
  }),
  /** `ok:false`: refused, unparseable, or interrupted. A command that exits non-zero finished: ok with its exit code. */
  "tool.finished": z.discriminatedUnion("ok", [
    z.object({ ...ToolCall, ok: z.literal(true), output: Json, durationMs: z.int() }),
    z.object({
      ...ToolCall,
      ok: z.literal(false),
      error: z.object({ code: z.string(), message: z.string() }),
      durationMs: z.int(),
    }),
  ]),
  "file.changed": z.object({
    callId: z.string(),
    op: z.enum(["write", "edit"]),
    path: z.string(),
    phase: Phase,
    size: z.int().optional(),
  }),
  "file.read": z.object({
    callId: z.string(),
    op: z.enum(["read", "ls", "grep", "glob"]),
    path: z.string(),
    phase: Phase,
    size: z.int().optional(),
    pattern: z.string().optional(),
    matchCount: z.int().optional(),
    entryCount: z.int().optional(),
  }),
  "model.resolved": z.object({
    provider: z.string(),
    model: z.string(),
    source: z.enum(["request", "env", "default"]),
  }),
  usage: Usage.extend({ provider: z.string(), model: z.string() }),
  "model.retrying": z.object({ error: z.string(), backoffMs: z.int(), retry: z.int() }),
  /** `restored`: files came from a stored state; `missing`: a recorded state could not be had, or ignored files were not carried. */
  "workspace.ready": z.object({
    restored: z.boolean(),
    missing: z.array(z.string()),
    isolated: z.boolean(),
  }),
  "workspace.committed": z.discriminatedUnion("outcome", [
    z.object({ outcome: z.literal("committed"), commitSha: z.string() }),
    z.object({ outcome: z.literal("skipped"), reason: z.string() }),
    z.object({ outcome: z.literal("failed"), error: z.string() }),
  ]),
  /**
   * `path`: the repository's directory in the workspace. `kept`: it was there, with files of an earlier run or attempt.
   * A clone that takes longer says `cloning` again, with how much of it has come.
   */
  "workspace.repo": z.discriminatedUnion("state", [
    z.object({
      state: z.literal("cloning"),
      ...RepoPlace,
      branch: z.string().nullable(),
      percent: z.int().min(0).max(100).optional(),
    }),
    z.object({
      state: z.literal("ready"),
      ...RepoPlace,
      branch: z.string(),
      commitSha: z.string(),
    }),
    z.object({ state: z.literal("kept"), ...RepoPlace }),
    z.object({ state: z.literal("failed"), ...RepoPlace, error: z.string() }),
  ]),
  /** An attempt has reached an MCP server, and how many of its tools the model has; or not. `url` without its query. */
  "mcp.server": z.discriminatedUnion("state", [
    z.object({
      state: z.literal("connected"),
      server: z.string(),
      url: z.string(),
      tools: z.int().nonnegative(),
    }),
    z.object({
      state: z.literal("failed"),
      server: z.string(),
      url: z.string(),
      error: z.string(),
    }),
  ]),
  /** What became of a repository's `autoPush`. `skipped`: `no_changes`, or `unknown_base` (its directory is older than the run). */
  "workspace.pushed": z.discriminatedUnion("outcome", [
    z.object({
      outcome: z.literal("pushed"),
      ...RepoPlace,
      branch: z.string(),
      commitSha: z.string(),
    }),
    z.object({ outcome: z.literal("skipped"), ...RepoPlace, reason: z.string() }),
    z.object({ outcome: z.literal("failed"), ...RepoPlace, error: z.string() }),
  ]),
  "workspace.archived": z.discriminatedUnion("outcome", [
    z.object({
      outcome: z.literal("stored"),
      key: z.string(),
      sizeBytes: z.int(),
      fileCount: z.int(),
    }),
    z.object({ outcome: z.literal("failed"), error: z.string() }),
  ]),
  "state.snapshot": z.object({ state: Json }),
  "state.delta": z.object({ delta: Json }),
  "checkpoint.saved": z.object({ step: z.int(), tree: z.string().nullable() }),
  custom: z.object({ name: z.string(), value: Json }),
} as const;

/** Canonical event types and the shape of their data. Dotted names; see docs/architecture.md for the families. */
export const eventData = { ...objectEventData, ...runnerEventData } as const;

export type EventType = keyof typeof eventData;
export type RunnerEventType = keyof typeof runnerEventData;
export type EventData = { readonly [T in EventType]: z.infer<(typeof eventData)[T]> };

/**
 * Where the whole data of an event lies that is too large for the log: `size` bytes of JSON, named by their content. What
 * stands in the log is a preview. Without a `sha256` the whole was over the absolute bound too, and is nowhere.
 */
export const EventBlob = z.object({
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  size: z.int().positive(),
});
export type EventBlob = z.infer<typeof EventBlob>;

/** Under this key the log keeps an event's `blob` among its data. No event has a field of its own with that name. */
export const blobField = "$blob";

/** An event that has no number yet: what a writer hands to the log. */
export type NewEvent = { readonly [T in EventType]: { type: T; data: EventData[T] } }[EventType];

/** What a runner may append; the object refuses a frame that holds anything else. */
export type RunnerEvent = {
  readonly [T in RunnerEventType]: {
    type: T;
    data: EventData[T];
    blob?: EventBlob | undefined;
  };
}[RunnerEventType];

/** A numbered fact about a run. `at` is Unix milliseconds of the commit. */
export type LogEvent = NewEvent & { readonly seq: number; readonly at: number };

export const terminalTypes = ["run.succeeded", "run.failed", "run.cancelled"] as const;
export type TerminalType = (typeof terminalTypes)[number];

export function isEventType(type: string): type is EventType {
  return Object.hasOwn(eventData, type);
}

export function isTerminal(type: string): type is TerminalType {
  return (terminalTypes as readonly string[]).includes(type);
}

const runnerEventSchemas = Object.entries(runnerEventData).map(([type, data]) =>
  z.object({ type: z.literal(type), data, blob: EventBlob.optional() }),
);

/** Parses one event as a runner sends it: `{type, data}`, and `blob` when `data` is a preview. */
export const RunnerEvent = z.discriminatedUnion(
  "type",
  runnerEventSchemas as [(typeof runnerEventSchemas)[number]],
) as unknown as z.ZodType<RunnerEvent>;
