import { z } from "zod";

/** Bounds that both sides of a contract must agree on. Units are in the names. */
export const limits = {
  /** Longest prompt or message content. Stands in OpenAPI as `maxLength`. */
  promptMaxChars: 200_000,
  requestBodyMaxBytes: 1_000_000,
  /** An answer or message to a run that is under way. */
  inputMaxChars: 32_000,
  /** Messages that a run has not come to yet. */
  inputsUnheard: 10,
  /** What the model asks its user. */
  questionMaxChars: 4_000,
  idempotencyKeyMaxChars: 200,
  /** Body of one append to a stream. */
  streamAppendMaxBytes: 8 * 1024 * 1024,
  /** One message of a JSON stream: it is one row's worth, and a row may have 2 MB. */
  streamMessageMaxChars: 1024 * 1024,
  streamNameMaxChars: 500,
  pageDefault: 50,
  pageMax: 500,
  /** An event or step body above this goes to R2 first and leaves a pointer. */
  inlineBodyMaxBytes: 256 * 1024,
  /** What of a larger event stays in the log, at most. */
  eventPreviewMaxBytes: 16 * 1024,
  /** A step body or an event above this is stored nowhere; of an event the preview is left. */
  blobMaxBytes: 64 * 1024 * 1024,
  /** Equal parts of an archive upload; only the last may be shorter (R2 demands equal parts). */
  archivePartBytes: 8 * 1024 * 1024,
  /** How long after a terminal event its attempt may still upload its archive. */
  lateArchiveMs: 10 * 60_000,
  leaseMs: 30_000,
  leaseGraceMs: 15_000,
  /** A runner's closed socket brings the lease's end forward to this. */
  socketClosedLeaseMs: 5_000,
  offerMs: 5_000,
  cancelForceMs: 30_000,
  /** A runner that has not acknowledged a cancel by then is stopped through its infrastructure. */
  cancelAckMs: 5_000,
  /** From SIGTERM to SIGKILL when a session is stopped. */
  sessionStopGraceMs: 5_000,
  /** How long a runner may take to hand back a run that is to pause. */
  stopAnswerMs: 30_000,
  sessionLogMaxBytes: 1024 * 1024,
  /** Logs of one run that are kept: of more, those of the oldest attempts go. */
  sessionLogsPerRun: 64,
  /** How far back a log that is followed begins. */
  liveLogTailLines: 2_000,
  /** One line of a log that is followed; the rest of it is left out. */
  liveLogLineMaxChars: 64 * 1024,
  /** How far a reader may be behind the bytes it reported as consumed. */
  readerCreditBytes: 256 * 1024,
  readerStuckMs: 60_000,
  sseHeartbeatMs: 15_000,
  webhooksPerProject: 10,
  webhookUrlMaxChars: 2048,
  /** A receiver that has not answered by then has failed. */
  webhookTimeoutMs: 10_000,
  /** How long a secret that was replaced still signs. */
  webhookOldSecretMs: 24 * 60 * 60_000,
  subscriptionIdMaxChars: 200,
  /** Streams that one subscription may name; those of a pattern do not count. */
  subscriptionStreams: 1_000,
  /** Streams of a subscription that one answer or wake lists, those with something to read first. */
  subscriptionStreamsShown: 1_000,
  /** Messages of earlier runs that a run is given, newest kept. */
  conversationMaxChars: 400_000,
} as const;

/** What one tenant may use at a time. A 429 names the one that it met. */
export const LimitName = z.enum([
  "requests_per_key",
  "readers_per_log",
  "readers_per_org",
  "open_runs_per_project",
  "open_runs_per_org",
  "subscriptions_per_org",
]);
export type LimitName = z.infer<typeof LimitName>;

/** Defaults; the edge's variables of the same names (`LIMIT_REQUESTS_PER_SECOND`, …) say otherwise. */
export const quotaDefaults = {
  /** Of one API key, on average; twice as many may come at once. */
  requestsPerSecond: 1_000,
  /** Readers that follow one run, or one stream, at a time. */
  readersPerLog: 1_000,
  readersPerOrg: 10_000,
  /** Runs that were accepted and are not over. */
  openRunsPerProject: 1_000,
  openRunsPerOrg: 10_000,
  subscriptionsPerOrg: 100,
  /** What one stream may take of its object's storage, which ends at 10 GB. */
  streamBytes: 1024 * 1024 * 1024,
  /** Characters of frames that a run object has received and that are not on disk. */
  pendingIngestChars: 32 * 1024 * 1024,
} as const;
