import { z } from "zod";
import { OrgId, PoolName, ProjectId, RunId, RunnerId } from "./ids.ts";
import { limits } from "./limits.ts";
import { Repo, RunSpec, RunStatus, RunWait, SessionRef } from "./run.ts";
import { Traceparent } from "./trace.ts";

/**
 * What the platform and a cluster's operator say to each other. The operator only opens connections; every one of them
 * carries `Authorization: Bearer <pool token>`:
 *
 *     operator socket  GET    /runner/pools/:pool/operator                         messages below
 *     create           POST   /runner/pools/:pool/runs            SessionRunCreate -> SessionRun
 *     read             GET    /runner/pools/:pool/runs/:runId                      -> SessionRun
 *     cancel           POST   /runner/pools/:pool/runs/:runId/cancel  SessionAct   -> SessionRun
 *     stop (a pause)   POST   /runner/pools/:pool/runs/:runId/stop    SessionAct   -> SessionRun
 *     resume           POST   /runner/pools/:pool/runs/:runId/resume  SessionAct   -> SessionRun
 *     renew a token    POST   /runner/pools/:pool/runs/:runId/token   {attempt}    -> SessionToken
 *     revoke tokens    DELETE /runner/pools/:pool/runs/:runId/token                -> 204
 *     warm token       POST   /runner/pools/:pool/warm-token      WarmTokenAsk     -> SessionToken
 *     keep a log       PUT    /runner/pools/:pool/runs/:runId/logs/:attempt/:container  text/plain -> {key, sizeBytes}
 *     a live log       GET    /runner/pools/:pool/runs/:runId/logs/:attempt/:container/live   a socket, see LogSourceMessage
 *     delete the logs  DELETE /runner/pools/:pool/runs/:runId/logs                 -> 204
 *
 * JSON answers are the bare objects named here. Refusals are problems `{code, message}` as everywhere: 401
 * `unauthenticated` (not this pool's token, nor any), 404 `not_found` (no such run, or it is another pool's), 400
 * `invalid_argument` with `details.field`; what else a call may answer stands at its schema. All calls are safe to
 * repeat.
 *
 * Messages are JSON text, at least once in both directions, and safe to repeat. What must not be lost has a `key`: it
 * is sent again (on each new connection, and after 10 s doubling to 5 min) until the other side has answered `ack` with that key,
 * and that is said only when its effect is stored. Times are durations in milliseconds, so that clocks need not agree.
 */
export const sessionPaths = {
  operatorSocket: (pool: string) => `/runner/pools/${pool}/operator`,
  runs: (pool: string) => `/runner/pools/${pool}/runs`,
  run: (pool: string, runId: string) => `/runner/pools/${pool}/runs/${runId}`,
  cancel: (pool: string, runId: string) => `/runner/pools/${pool}/runs/${runId}/cancel`,
  stop: (pool: string, runId: string) => `/runner/pools/${pool}/runs/${runId}/stop`,
  resume: (pool: string, runId: string) => `/runner/pools/${pool}/runs/${runId}/resume`,
  input: (pool: string, runId: string) => `/runner/pools/${pool}/runs/${runId}/input`,
  token: (pool: string, runId: string) => `/runner/pools/${pool}/runs/${runId}/token`,
  warmToken: (pool: string) => `/runner/pools/${pool}/warm-token`,
  logs: (pool: string, runId: string) => `/runner/pools/${pool}/runs/${runId}/logs`,
  log: (pool: string, runId: string, attempt: number, container: string) =>
    `/runner/pools/${pool}/runs/${runId}/logs/${attempt}/${container}`,
  liveLog: (pool: string, runId: string, attempt: number, container: string) =>
    `/runner/pools/${pool}/runs/${runId}/logs/${attempt}/${container}/live`,
} as const;

const Key = z.string().min(1).max(200);
const Attempt = { runId: RunId, attempt: z.int().positive() };

/** Why a session could not execute its run, as a stable word. What is not listed is taken as it is. */
export const SessionReason = z.enum([
  "Unschedulable",
  "ImagePullFailed",
  "InvalidImageName",
  "ContainerConfigError",
  "InitContainerFailed",
  "VolumeNotBound",
  "VolumeNotMounted",
  "QuotaExceeded",
  "AdmissionDenied",
  "OwnerNotPermitted",
  "InvalidSpec",
  "SecretMissing",
  "RunnerExited",
  "PodFailed",
  "OutOfMemory",
  "Evicted",
  "Preempted",
  "NodeLost",
  "NodeShutdown",
  "DeadlineExceeded",
  "PodDeleted",
  "JobDeleted",
  "SecretDeleted",
  "NamespaceTerminating",
  "NamespaceMissing",
  "SessionDeleted",
  "NotConnected",
  "Silent",
  "Stopped",
]);
export type SessionReason = z.infer<typeof SessionReason>;

/** What an operator saw. Everything is optional; text is cut by the sender, and redacted. */
export const SessionEvidence = z.object({
  exitCode: z.int().optional(),
  signal: z.int().optional(),
  container: z.string().max(253).optional(),
  podName: z.string().max(253).optional(),
  nodeName: z.string().max(253).optional(),
  /** Last lines of the container's log. */
  logTail: z.string().max(4096).optional(),
  /** What Kubernetes said: the scheduler's, kubelet's or API server's words. */
  detail: z.string().max(4096).optional(),
});
export type SessionEvidence = z.infer<typeof SessionEvidence>;

/**
 * The first message on a socket. Replicas each hold a socket; commands go to the one that last said `leader: true`. With
 * none they wait.
 */
export const OperatorHello = z.object({
  type: z.literal("hello"),
  /** New at each start of a process. */
  operatorId: z.uuid(),
  version: z.string().max(100),
  leader: z.boolean(),
});

/** How the pool's cluster is. Sent after `hello`, on every change (at most one a second) and every 30 s. No answer. */
export const PoolStatus = z.object({
  type: z.literal("pool.status"),
  version: z.string().max(100),
  leader: z.boolean(),
  /** Sessions that could start now; null: nothing but the cluster's size limits them. */
  free: z.int().nonnegative().nullable(),
  warm: z.object({ size: z.int().nonnegative(), ready: z.int().nonnegative() }),
  /** How many sessions are in which phase, as `AgenticSession.status.phase` names them. */
  sessions: z.record(z.string().max(40), z.int().nonnegative()),
});
export type PoolStatus = z.infer<typeof PoolStatus>;

/**
 *     start_failed   the session did not come to the point where its runner claims; counts against the run's failures
 *     ended          the runner's process is over or lost, and said nothing of it itself; counts, unless its run is being cancelled or stopped
 *     stopped        it is dead because it was told to stop; no failure
 *
 * The run object alone decides what follows: `retryable: true` and budget left: another attempt after a backoff, with a
 * `session.start` of its own. A report on an attempt that is not the current one, or on a run that is over, changes
 * nothing and is acked.
 */
export const SessionReport = z.object({
  type: z.literal("report"),
  /** The operator's own; the same for every resend. */
  key: Key,
  ...Attempt,
  kind: z.enum(["start_failed", "ended", "stopped"]),
  reason: z.string().regex(/^[A-Z][A-Za-z0-9]{0,63}$/),
  /** A sentence for the run's user. */
  message: z.string().min(1).max(1024),
  evidence: SessionEvidence.default({}),
  retryable: z.boolean(),
});
export type SessionReport = z.infer<typeof SessionReport>;

const Ack = z.object({ type: z.literal("ack"), key: Key });

/**
 * From operator to pool. `ack` confirms a command: for `session.start` that the session's object is stored in the
 * cluster, or that its refusal was reported; for `session.stop` that the wish is stored, or nothing of the attempt is left.
 */
export const OperatorToPool = z.discriminatedUnion("type", [
  OperatorHello,
  PoolStatus,
  SessionReport,
  Ack,
]);
export type OperatorToPool = z.infer<typeof OperatorToPool>;

/**
 * Execute this attempt. Idempotent by (runId, attempt); a lower attempt than one that is known is acked and ignored.
 *
 * `warm` null: start a session. Else the named idle runner has accepted the run already: adopt its pod. Should that
 * runner never claim, a `session.start` of the same attempt with `warm: null` follows (its key is another one).
 *
 * `spec.session` names the AgenticSession that the run came from; null: the run was created at the edge, and the operator
 * creates one as `spec.owner`.
 */
export const SessionStart = z.object({
  type: z.literal("session.start"),
  key: Key,
  ...Attempt,
  orgId: OrgId,
  projectId: ProjectId,
  spec: RunSpec,
  /** The run token of this attempt. */
  token: z.string(),
  tokenExpiresInMs: z.int().positive(),
  warm: z.object({ runnerId: RunnerId, podName: z.string().nullable() }).nullable(),
});
export type SessionStart = z.infer<typeof SessionStart>;

/**
 * End the execution of this attempt: SIGTERM, after `graceMs` SIGKILL. Answer with `ack`, and when the process is dead
 * (or none was found) with a report of kind `stopped`. `by`: a user's cancel that the runner did not acknowledge, a stop
 * (pause) that it did not answer, or a fence: another attempt has taken over.
 */
export const SessionStop = z.object({
  type: z.literal("session.stop"),
  key: Key,
  ...Attempt,
  by: z.enum(["cancel", "stop", "fence"]),
  graceMs: z.int().nonnegative(),
});
export type SessionStop = z.infer<typeof SessionStop>;

/** A run as an operator needs it for a session's status. A later one has a larger `version`. */
export const SessionRun = z.object({
  runId: RunId,
  projectId: ProjectId,
  /** True: this call created the run. Only in the answer to `create`. */
  created: z.boolean().optional(),
  version: z.int(),
  /** `queued` with attempt 0: earlier runs of its thread are not over. `waiting`: stopped, until `resume`. */
  status: RunStatus,
  /** A stop was asked for and the runner has not answered yet. */
  stopping: z.boolean(),
  attempt: z.int().nonnegative(),
  failures: z.int().nonnegative(),
  maxAttempts: z.int().positive(),
  /** Unix ms, the platform's clock. */
  startedAt: z.int().nullable(),
  /** Of the time since then, what it has spent waiting. */
  waitedMs: z.int().nonnegative().default(0),
  /** Set while the status is `waiting`. */
  waiting: RunWait.nullable().default(null),
  completedAt: z.int().nullable(),
  updatedAt: z.int(),
  error: z
    .object({ code: z.string(), error: z.string(), reason: z.string().optional() })
    .nullable(),
  usage: z
    .object({
      inputTokens: z.int().nullable(),
      outputTokens: z.int().nullable(),
      totalTokens: z.int().nullable(),
    })
    .nullable(),
  costUsd: z.number().nullable(),
  provider: z.string().nullable(),
  model: z.string().nullable(),
  /** The workspace's zip is stored. */
  archived: z.boolean(),
  /** Path of the run at the edge. */
  url: z.string(),
  session: SessionRef.nullable(),
  /** As in the run's spec; an older platform says none. */
  traceparent: Traceparent.nullable().default(null),
});
export type SessionRun = z.infer<typeof SessionRun>;

/**
 * Somebody wants to see what a container writes: open the socket of that log, unless it is open. A hint; who wants to see it
 * asks again. No answer but the socket.
 */
export const LogFollow = z.object({
  type: z.literal("log.follow"),
  ...Attempt,
  container: z.string().min(1).max(63),
});
export type LogFollow = z.infer<typeof LogFollow>;

/**
 * From pool to operator. `run.changed` goes to every replica and is a hint: what changed while no socket was open is not
 * sent again, so an operator reads the runs of its open sessions after each `welcome`. `ack` confirms a report.
 */
export const PoolToOperator = z.discriminatedUnion("type", [
  z.object({ type: z.literal("welcome"), orgId: OrgId, pool: PoolName }),
  SessionStart,
  SessionStop,
  LogFollow,
  z.object({ type: z.literal("run.changed"), run: SessionRun }),
  Ack,
]);
export type PoolToOperator = z.infer<typeof PoolToOperator>;

/**
 * Creates the run of an AgenticSession under the pool's own authority; `owner` is recorded and never acted as. The
 * idempotency key is `session:<session.uid>`, so the same session has one run however often this is sent.
 *
 * Its thread is the project `pool.<pool>.<thread>` (the session's uid when `thread` is null), which is opened if it is
 * not there: no session writes into a project of an edge user, or of another pool. Runs of a thread execute one after another.
 *
 * 409 `idempotency_mismatch`: this uid was sent with another body. 429 `rate_limited`: as for runs at the edge.
 */
export const SessionRunCreate = RunSpec.pick({
  prompt: true,
  input: true,
  provider: true,
  model: true,
  repos: true,
  interactive: true,
  keepOpen: true,
  timeoutSeconds: true,
  startDeadlineSeconds: true,
})
  .partial({ input: true, provider: true, model: true })
  .extend({
    session: SessionRef,
    /** What a run's log and its commits show of a repository is its address: no credentials in it. */
    repos: z
      .array(Repo.refine(holdsNoCredentials, "its url holds credentials"))
      .max(20)
      .default([]),
    owner: z.string().min(1).max(253),
    thread: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,58}$/)
      .nullable()
      .default(null),
    /** False: an idle warm pod of the session's namespace may execute it. Not part of what makes two requests differ. */
    needsOwnPod: z.boolean().default(true),
    displayName: z.string().min(1).max(200).nullable().default(null),
  });
export type SessionRunCreate = z.infer<typeof SessionRunCreate>;

function holdsNoCredentials({ url }: Repo): boolean {
  return !/^[a-z]+:\/\/[^/?#]*@/i.test(url);
}

/** Who asked, for the run's log. A stop of a run that is over, or a resume of one that is not stopped, changes nothing. */
export const SessionAct = z.object({ by: z.string().min(1).max(253) });

/** What a session's user says to its run; `content` null: it is to come to its end. The same `key` again changes nothing. */
export const SessionInput = SessionAct.extend({
  key: Key,
  content: z.string().min(1).max(limits.inputMaxChars).nullable(),
});
export type SessionInput = z.infer<typeof SessionInput>;

/** `refused`: why it was not taken. `not_waiting` and `too_many` pass, anything else does not. */
export const SessionInputAnswer = z.object({ run: SessionRun, refused: z.string().nullable() });
export type SessionInputAnswer = z.infer<typeof SessionInputAnswer>;

export const SessionTokenAsk = z.object({ attempt: z.int().positive() });
/**
 * A fresh run token for the session's Secret: any attempt that may still execute, 403 `fenced` else. Renew when half of
 * `expiresInMs` is over.
 */
export const SessionToken = z.object({ token: z.string(), expiresInMs: z.int().positive() });
export type SessionToken = z.infer<typeof SessionToken>;

/**
 * A token with which one idle pod joins the pool as a warm runner and nothing else: it is given at most one run, and only
 * one whose session belongs into the pod's namespace. So what that run executes, in the same pod, has no use for it.
 */
export const WarmTokenAsk = z.object({
  podName: z.string().min(1).max(253),
  namespace: z.string().min(1).max(63),
  /** Whose runs of the edge become sessions of this namespace; `*`: everybody's. */
  owners: z.array(z.string().min(1).max(253)).max(20),
});
export type WarmTokenAsk = z.infer<typeof WarmTokenAsk>;

/**
 * A container's log while it is written, on a socket of its own from the operator to the log's object:
 *
 *     from        <-   the first message; lines after this id are wanted, null: from `limits.liveLogTailLines` before the end
 *     opened      ->   kubelet has it; or `refused`, and why, and the socket is closed
 *     lines       ->   in order; redacted
 *     taken       <-   so many characters of lines are stored: at most `limits.readerCreditBytes` may be on their way
 *     end         ->   the container is over
 *
 * The id of a line is the time at which it was written in Unix microseconds, made larger than the id before where two would be
 * the same: so a log that is read again gives the same ids, and whoever has an id can go on. The object closes the socket when nobody
 * reads any more; when it breaks, the object asks for another.
 */
export const LogSourceMessage = z.discriminatedUnion("type", [
  z.object({ type: z.literal("opened") }),
  z.object({ type: z.literal("refused"), message: z.string().max(1024) }),
  z.object({ type: z.literal("lines"), lines: z.array(z.tuple([z.int(), z.string()])) }),
  z.object({ type: z.literal("end") }),
]);
export type LogSourceMessage = z.infer<typeof LogSourceMessage>;

export const LogSinkMessage = z.discriminatedUnion("type", [
  z.object({ type: z.literal("from"), after: z.int().nullable() }),
  z.object({ type: z.literal("taken"), chars: z.int().nonnegative() }),
]);
export type LogSinkMessage = z.infer<typeof LogSinkMessage>;

/**
 * The text of one container's log, at most `limits.sessionLogMaxBytes` (413), redacted by the sender; sent again it
 * replaces what was there. `?retainSeconds=` says how long it is kept; else as long as the run's events. `container` is
 * a DNS label.
 */
export const SessionLogKept = z.object({ key: z.string(), sizeBytes: z.int() });
export type SessionLogKept = z.infer<typeof SessionLogKept>;
