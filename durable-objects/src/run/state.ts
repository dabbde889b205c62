import type { Tail } from "../log/log-rows.ts";
import {
  ArchiveRecord,
  Cost,
  FailureCode,
  isOver,
  TerminalStatus,
  UploadKind,
  Usage,
  WorkspaceState,
  type NewEvent,
  type RunSpec,
  type RunStatus,
  type RunView,
  type RunWait,
} from "@millrace/contracts";
import { z } from "zod";

/**
 * Where the run is in its life. Not drawn: cancel leads from every open stage to over.
 *
 *     created --release--> dispatched --claim--> running --outcome--> over
 *                 ^            |                   |  \--cancel--> cancelling --> over
 *              (backoff)    deadline          failure, expiry
 *               queued <-------+-------------------+  \--stop--> stopping --> waiting
 *                 ^                                \--question, end of a turn--> waiting
 *                 \---resume, input--- waiting <--stop-- queued, dispatched, waiting
 */
export const Stage = z.discriminatedUnion("kind", [
  /** Its predecessors are not over yet. */
  z.object({ kind: z.literal("created") }),
  /** Between two attempts. */
  z.object({ kind: z.literal("queued"), readyAt: z.int() }),
  /** The current attempt waits for a runner. */
  z.object({ kind: z.literal("dispatched"), since: z.int() }),
  z.object({ kind: z.literal("running"), runnerId: z.string() }),
  /** `stopAt`: when the session is stopped from outside; null: its runner has acknowledged, or no operator can. */
  z.object({
    kind: z.literal("cancelling"),
    runnerId: z.string(),
    forceAt: z.int(),
    stopAt: z.int().nullable().default(null),
  }),
  /** Asked to pause; `stopAt` as above. */
  z.object({ kind: z.literal("stopping"), runnerId: z.string(), stopAt: z.int().nullable() }),
  /**
   * Nobody executes it. Paused: until it is resumed. `awaits`: until its user has answered the question, or, without
   * one, has said what comes next. Both: until both.
   */
  z.object({
    kind: z.literal("waiting"),
    since: z.int(),
    paused: z.boolean().default(true),
    awaits: z.object({ question: z.string().nullable() }).nullable().default(null),
  }),
  z.object({
    kind: z.literal("over"),
    outcome: TerminalStatus,
    /** Until when the last attempt may store its archive; null: it is fenced. */
    uploadsUntil: z.int().nullable(),
  }),
]);
export type Stage = z.infer<typeof Stage>;

/** A cost is looked up once; that no price is known is an answer too. */
const Price = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("open") }),
  z.object({ kind: z.literal("unknown") }),
  z.object({ kind: z.literal("known"), cost: Cost }),
]);

/** An archive that R2 holds for the run. */
export const Artifact = z.object({
  key: z.string(),
  kind: UploadKind,
  attempt: z.int(),
  sizeBytes: z.int(),
  fileCount: z.int().nullable(),
  at: z.int(),
});
export type Artifact = z.infer<typeof Artifact>;

const SeqRange = z.object({ from: z.int(), to: z.int() });

/** What a run object remembers beside its log. Stored as one document, replaced as a whole. */
export const RunState = z.object({
  stage: Stage,
  /** The current or last attempt; 0 before the first dispatch. It is the fencing token. */
  attempt: z.int(),
  /** Attempts that failed. Releases do not count, so this is not `attempt - 1`. */
  failures: z.int(),
  /** Seq of the current attempt's run.started; 0 before its claim. */
  attemptFirst: z.int(),
  /** What dead attempts wrote and the next one replaces. */
  superseded: SeqRange.nullable(),
  /** Tool calls that a dead attempt left open: they may have happened. */
  interruptedCalls: z.array(z.string()),
  /** Changes of the view that no event tells, so that every later view has a larger version. */
  silentChanges: z.int(),
  /** How many inputs the run was given, and the last that it has taken in. */
  inputs: z.int().default(0),
  heard: z.int().default(0),
  /** An input has said that none follows. */
  finishing: z.boolean().default(false),
  startedAt: z.int().nullable(),
  /** Of the time since then, what is behind it of waiting. */
  waitedMs: z.int().default(0),
  completedAt: z.int().nullable(),
  updatedAt: z.int(),
  output: z.string().nullable(),
  error: z
    .object({ code: FailureCode, error: z.string(), reason: z.string().optional() })
    .nullable(),
  usage: Usage.nullable(),
  price: Price,
  provider: z.string().nullable(),
  model: z.string().nullable(),
  modelSource: z.enum(["request", "env", "default"]).nullable(),
  archive: ArchiveRecord.nullable(),
  artifacts: z.array(Artifact).readonly(),
  /** The files as the last attempt left them. */
  workspace: WorkspaceState.nullable(),
});
export type RunState = z.infer<typeof RunState>;

/** What a decision does: the state after it, and the events that tell it, in order. */
export interface Change {
  readonly state: RunState;
  readonly events: readonly NewEvent[];
}

export function createdState(now: number): RunState {
  return {
    stage: { kind: "created" },
    attempt: 0,
    failures: 0,
    attemptFirst: 0,
    superseded: null,
    interruptedCalls: [],
    silentChanges: 0,
    inputs: 0,
    heard: 0,
    finishing: false,
    startedAt: null,
    waitedMs: 0,
    completedAt: null,
    updatedAt: now,
    output: null,
    error: null,
    usage: null,
    price: { kind: "open" },
    provider: null,
    model: null,
    modelSource: null,
    archive: null,
    artifacts: [],
    workspace: null,
  };
}

export function statusOf(stage: Stage): RunStatus {
  switch (stage.kind) {
    case "created":
    case "queued":
      return "queued";
    case "stopping":
      return "running";
    case "dispatched":
    case "running":
    case "cancelling":
    case "waiting":
      return stage.kind;
    case "over":
      return stage.outcome;
  }
}

/** The runner that holds the current attempt, if one does. */
export function runnerOf(stage: Stage): string | null {
  switch (stage.kind) {
    case "running":
    case "cancelling":
    case "stopping":
      return stage.runnerId;
    case "created":
    case "queued":
    case "dispatched":
    case "waiting":
    case "over":
      return null;
  }
}

function isCancelled(stage: Stage): boolean {
  return stage.kind === "cancelling" || (stage.kind === "over" && stage.outcome === "cancelled");
}

/** Every other end comes after its archive, or without one. */
function archiveUntil(stage: Stage): number | null {
  return stage.kind === "over" && stage.outcome === "cancelled" ? stage.uploadsUntil : null;
}

function waitOf(stage: Stage): RunWait | null {
  if (stage.kind !== "waiting") return null;
  const { since, paused, awaits } = stage;
  const question = awaits?.question ?? null;
  const reason = question === null ? "input" : "question";
  return { reason: paused ? "stopped" : reason, question, since };
}

export function versionOf(state: RunState, tail: Tail): number {
  return tail.seq + state.silentChanges;
}

export function viewOf(spec: RunSpec, state: RunState, tail: Tail): RunView {
  const { stage } = state;
  const status = statusOf(stage);
  return {
    spec,
    version: versionOf(state, tail),
    status,
    cancelled: isCancelled(stage),
    stopping: stage.kind === "stopping",
    waiting: waitOf(stage),
    waitedMs: state.waitedMs,
    attempt: state.attempt,
    failures: state.failures,
    startedAt: state.startedAt,
    completedAt: isOver(status) ? state.completedAt : null,
    updatedAt: Math.max(state.updatedAt, tail.at),
    output: state.output,
    error: state.error,
    usage: state.usage,
    cost: state.price.kind === "known" ? state.price.cost : null,
    provider: state.provider,
    model: state.model,
    modelSource: state.modelSource,
    archive: state.archive,
    archiveUntil: archiveUntil(stage),
  };
}
