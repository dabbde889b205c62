import { z } from "zod";
import { FailureCode } from "./errors.ts";
import { RunnerEvent } from "./event.ts";
import { OrgId, PoolName, ProjectId, RunId, RunnerId } from "./ids.ts";
import { limits } from "./limits.ts";
import { ArchiveRecord, ConversationMessage, RunInput, RunSpec, WorkspaceState } from "./run.ts";

/**
 * The whole contract between the platform and a runner. The runner only opens connections:
 *
 *     pool socket   GET  /runner/pools/:pool/socket           Authorization: Bearer <pool token>
 *     run socket    GET  /runner/runs/:runId/socket           Authorization: Bearer <run token>
 *     archives      POST /runner/runs/:runId/uploads          {kind, sizeBytes}            -> {uploadId, key}
 *                   PUT  /runner/runs/:runId/uploads/:uploadId/parts/:n?key=   <bytes>     -> {etag}
 *                   POST /runner/runs/:runId/uploads/:uploadId/complete        {…}         -> {key}
 *                   DELETE /runner/runs/:runId/uploads/:uploadId?key=                      -> 204
 *     blobs         PUT  /runner/runs/:runId/blobs/:sha256    <bytes>                      -> {key}
 *                   GET  /runner/runs/:runId/blobs/:sha256    -> <bytes>
 *     large events  PUT  /runner/runs/:runId/events/:sha256   <data as JSON>               -> {key}
 *     restore       GET  /runner/runs/:runId/workspace        -> the bundle that the claim named, 404 if none
 *
 * Socket messages are JSON text. Messages are delivered at least once and every one is safe to repeat.
 */
export const runnerPaths = {
  poolSocket: (pool: string) => `/runner/pools/${pool}/socket`,
  runSocket: (runId: string) => `/runner/runs/${runId}/socket`,
  uploads: (runId: string) => `/runner/runs/${runId}/uploads`,
  uploadPart: (runId: string, uploadId: string, part: number, key: string) =>
    `/runner/runs/${runId}/uploads/${encodeURIComponent(uploadId)}/parts/${part}?key=${encodeURIComponent(key)}`,
  uploadComplete: (runId: string, uploadId: string) =>
    `/runner/runs/${runId}/uploads/${encodeURIComponent(uploadId)}/complete`,
  uploadAbort: (runId: string, uploadId: string, key: string) =>
    `/runner/runs/${runId}/uploads/${encodeURIComponent(uploadId)}?key=${encodeURIComponent(key)}`,
  blob: (runId: string, sha256: string) => `/runner/runs/${runId}/blobs/${sha256}`,
  eventBlob: (runId: string, sha256: string) => `/runner/runs/${runId}/events/${sha256}`,
  workspace: (runId: string) => `/runner/runs/${runId}/workspace`,
} as const;

export const PoolHello = z.object({
  type: z.literal("hello"),
  runnerId: RunnerId,
  version: z.string(),
  slots: z.int().positive(),
  free: z.int().nonnegative(),
  /** `warm`: an idle pod for one run with `workspaceBackend: "cluster"`; else (`pool`) for runs with `host`. */
  kind: z.enum(["pool", "warm"]).optional(),
  /** Of a warm runner, so that the operator can adopt its pod. */
  podName: z.string().max(253).optional(),
});

/** From runner to pool. */
export const RunnerToPool = z.discriminatedUnion("type", [
  PoolHello,
  z.object({ type: z.literal("status"), free: z.int().nonnegative() }),
  z.object({ type: z.literal("accept"), runId: RunId, attempt: z.int() }),
  z.object({
    type: z.literal("decline"),
    runId: RunId,
    attempt: z.int(),
    reason: z.enum(["full", "draining", "already_running", "other_org"]),
  }),
]);
export type RunnerToPool = z.infer<typeof RunnerToPool>;

/** A run that waits for a runner. `token` opens the run socket for this attempt only. */
export const Offer = z.object({
  type: z.literal("offer"),
  orgId: OrgId,
  projectId: ProjectId,
  runId: RunId,
  attempt: z.int().positive(),
  token: z.string(),
});
export type Offer = z.infer<typeof Offer>;

/** From pool to runner. */
export const PoolToRunner = z.discriminatedUnion("type", [
  z.object({ type: z.literal("welcome"), orgId: OrgId, pool: PoolName }),
  Offer,
  z.object({ type: z.literal("withdraw"), runId: RunId, attempt: z.int() }),
]);
export type PoolToRunner = z.infer<typeof PoolToRunner>;

/** A checkpoint step: a delta of the transcript. `body` is JSON text that only the engine reads. */
export const Step = z.object({
  n: z.int().positive(),
  body: z.string().max(256 * 1024),
});
export type Step = z.infer<typeof Step>;

/** How an attempt ended, from the runner's side; the run object decides what it means for the run. */
export const Outcome = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("succeeded"), output: z.string() }),
  z.object({
    kind: z.literal("failed"),
    code: FailureCode,
    error: z.string(),
    retryable: z.boolean(),
  }),
  z.object({ kind: z.literal("cancelled") }),
  z.object({ kind: z.literal("released"), reason: z.enum(["drain", "stopped"]) }),
  /**
   * Only a user can say how to go on. `question` null: the turn is over, and what comes next is awaited. `heard`: the last
   * input that the run has taken in; when there is a later one, the run goes on with it at once.
   */
  z.object({
    kind: z.literal("awaiting"),
    question: z.string().max(limits.questionMaxChars).nullable(),
    heard: z.int().nonnegative(),
  }),
]);
export type Outcome = z.infer<typeof Outcome>;

/**
 * Events, their checkpoint steps and, in the attempt's last frame, its outcome: one transaction.
 * `producerSeq` counts 1, 2, 3 … within an attempt; a number already seen is acked and ignored.
 */
export const Frame = z.object({
  type: z.literal("frame"),
  producerSeq: z.int().positive(),
  events: z.array(RunnerEvent).max(1000),
  steps: z.array(Step).max(100).optional(),
  outcome: Outcome.optional(),
});
export type Frame = z.infer<typeof Frame>;

/**
 * What a claim brings along: the first events of a run, and the checkpoint step that says that they are written. The
 * object takes it with the claim that starts an attempt, if the run has no step yet; else it is ignored. It is no frame:
 * `producerSeq` does not count it.
 */
export const Opening = z.object({ events: z.array(RunnerEvent).min(1).max(10), step: Step });
export type Opening = z.infer<typeof Opening>;

/** From runner to run object. A socket that has not claimed may send nothing but `claim`. */
export const RunnerToRun = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("claim"),
    runnerId: RunnerId,
    attempt: z.int().positive(),
    opening: Opening.optional(),
  }),
  Frame,
  /** `id` comes back in the ack, so that the runner measures its lease from when it sent this. */
  z.object({ type: z.literal("heartbeat"), id: z.int() }),
  /** The runner has seen the cancel and is stopping its work. */
  z.object({ type: z.literal("cancel_ack") }),
]);
export type RunnerToRun = z.infer<typeof RunnerToRun>;

/**
 * Why the object refuses a writer. `lease_held`: another runner has this attempt; `fenced`: another
 * attempt is current; `run_over`: the run has ended. None is worth a retry. `out_of_order`: a gap in
 * producerSeq, send again from `expected`. `not_claimed`: claim first. `invalid`: not this protocol.
 * `overloaded`: more was sent than the object can write; connect and claim again, a little later.
 */
export const RunRefusal = z.enum([
  "lease_held",
  "fenced",
  "run_over",
  "out_of_order",
  "not_claimed",
  "invalid",
  "overloaded",
]);
export type RunRefusal = z.infer<typeof RunRefusal>;

/** Answer to a claim. The `steps` messages that follow carry `stepCount` steps. */
export const Claimed = z.object({
  type: z.literal("claimed"),
  attempt: z.int(),
  /** Milliseconds of lease from now. The runner counts from when it sent the claim. */
  leaseMs: z.int(),
  heartbeatMs: z.int(),
  /** Seq of the last event. */
  tail: z.int(),
  /** Last producerSeq of this attempt that was committed; go on with the next. */
  producerSeq: z.int(),
  spec: RunSpec,
  /** Failures so far; a retryable failure is final when `failures + 1 >= spec.maxAttempts`. */
  failures: z.int(),
  /** Since the run was first started: the bound on a run counts all its attempts. A duration, like the lease. */
  elapsedMs: z.int().nonnegative(),
  conversation: z.array(ConversationMessage),
  /** The files to start from; null: an empty workspace. */
  workspace: WorkspaceState.nullable(),
  stepCount: z.int(),
  /** Tool calls that a dead attempt started and never finished; they may have happened. */
  interruptedCalls: z.array(z.string()),
  /** What the user said since the run last waited. The checkpoint knows which of it was taken in. */
  inputs: z.array(RunInput).optional(),
  cancel: z.boolean(),
  /** The run is to pause: interrupt the work, checkpoint, end with `released {reason: "stopped"}`. */
  stop: z.boolean().optional(),
  token: z.string(),
});
export type Claimed = z.infer<typeof Claimed>;

/** From run object to runner. */
export const RunToRunner = z.discriminatedUnion("type", [
  Claimed,
  z.object({ type: z.literal("steps"), steps: z.array(Step) }),
  /** Cumulative: every frame up to `producerSeq` is durable. `heartbeat` answers that heartbeat. */
  z.object({
    type: z.literal("ack"),
    producerSeq: z.int(),
    tail: z.int(),
    leaseMs: z.int(),
    heartbeat: z.int().optional(),
    cancel: z.boolean().optional(),
    stop: z.boolean().optional(),
    /** A fresh run token, when the old one is past half its life. */
    token: z.string().optional(),
  }),
  z.object({ type: z.literal("cancel") }),
  z.object({ type: z.literal("stop") }),
  z.object({
    type: z.literal("refused"),
    code: RunRefusal,
    /** For `out_of_order`. */
    expected: z.int().optional(),
  }),
]);
export type RunToRunner = z.infer<typeof RunToRunner>;

/** `zip` is what a user downloads; `bundle` is a git bundle that another runner restores from. */
export const UploadKind = z.enum(["zip", "bundle"]);
export type UploadKind = z.infer<typeof UploadKind>;

export const UploadBegin = z.object({ kind: UploadKind, sizeBytes: z.int().nonnegative() });
export const UploadBegun = z.object({ uploadId: z.string(), key: z.string() });
export const UploadedPart = z.object({ partNumber: z.int().positive(), etag: z.string() });
export type UploadedPart = z.infer<typeof UploadedPart>;
export const UploadComplete = z.discriminatedUnion("kind", [
  ArchiveRecord.extend({ kind: z.literal("zip"), parts: z.array(UploadedPart) }),
  z.object({
    kind: z.literal("bundle"),
    key: z.string(),
    sizeBytes: z.int(),
    tree: WorkspaceState.shape.tree,
    parts: z.array(UploadedPart),
  }),
]);
export type UploadComplete = z.infer<typeof UploadComplete>;
