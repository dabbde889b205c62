import type {
  V1Job,
  V1NetworkPolicy,
  V1PersistentVolumeClaim,
  V1Pod,
  V1Secret,
} from "@kubernetes/client-node";
import type { SessionEvidence, SessionRun } from "@millrace/contracts";
import type { Stored } from "../kube/kind.ts";
import type { Keeping } from "../session-logs/keeping.ts";
import type { Session } from "./session.ts";

export type Job = Stored<V1Job>;
export type Pod = Stored<V1Pod>;
export type Secret = Stored<V1Secret>;
export type Claim = Stored<V1PersistentVolumeClaim>;
export type NetworkPolicy = Stored<V1NetworkPolicy>;

/** What Kubernetes said in an Event about a child. */
export interface Warning {
  readonly about: "job" | "pod" | "claim";
  readonly reason: string;
  readonly note: string;
}

/** Why the platform asked for the end of an attempt. */
export type StopBy = "cancel" | "stop" | "fence";

export interface OtherAttempt {
  readonly attempt: number;
  readonly podName: string | undefined;
  /** Its pod may still execute something. */
  readonly isAlive: boolean;
  readonly logs: Keeping;
}

/** Everything that is known of one session's current attempt. Times are Unix ms. */
export interface Facts {
  readonly now: number;
  readonly session: Session;
  /** The highest attempt that the platform asked for; 0: none yet. */
  readonly attempt: number;
  readonly secret: Secret | undefined;
  readonly job: Job | undefined;
  readonly pod: Pod | undefined;
  /** The idle pod that executes the attempt in place of a Job's. */
  readonly warmPod: string | undefined;
  /** A pod that was adopted for the attempt, until the platform gave it to another. */
  readonly stalePod: Pod | undefined;
  readonly claim: Claim | undefined;
  readonly warnings: readonly Warning[];
  /** What is wrong with the Secrets that the session names. */
  readonly secretProblem: string | undefined;
  readonly isNamespaceTerminating: boolean;
  readonly stopBy: StopBy | undefined;
  /** The run as the platform last told of it. */
  readonly run: SessionRun | undefined;
  /** What is still there of earlier attempts. */
  readonly others: readonly OtherAttempt[];
  /** Keys of reports that the platform has confirmed. */
  readonly acked: ReadonlySet<string>;
  /** Last lines of the runner's log, where the container is over. */
  readonly logTail: string | undefined;
  /** What becomes of the logs of the attempt's pod. */
  readonly logs: Keeping;
}

/** Something that keeps an attempt from executing: a failure from `failsAt` on, before that only worth saying. */
export interface Finding {
  /** A sentence for the run's user. */
  readonly message: string;
  readonly evidence: SessionEvidence;
  readonly failsAt: number;
}

/** A Job for the current attempt was made or a warm pod adopted, whether it is still there or not. */
export function wasStarted({ session, attempt, warmPod }: Facts): boolean {
  const { status } = session;
  return attempt > 0 && status?.attempt === attempt && status.warmPod === warmPod;
}

/** A warm pod has the attempt and is not the session's yet. */
export function isToAdopt(facts: Facts): boolean {
  const { session, attempt, warmPod } = facts;
  const isOver = attempt <= (session.status?.endedAttempt ?? 0);
  return warmPod !== undefined && !isOver && !wasStarted(facts);
}

/** What becomes of a warm pod before its runner claims is no failure: the platform gives the attempt to another. */
export function awaitsClaim(facts: Facts): boolean {
  return facts.warmPod !== undefined && !isConnected(facts);
}

/** When the platform asked for this attempt. */
function attemptBegan({ secret, job, now }: Facts): number {
  const at = secret?.metadata.creationTimestamp ?? job?.metadata.creationTimestamp;
  return at === undefined ? now : Date.parse(at);
}

/** Until when the attempt's runner has to be connected. */
export function startDeadline(facts: Facts): number {
  return attemptBegan(facts) + facts.session.spec.startDeadlineSeconds * 1000;
}

/** The platform has seen this attempt's runner. */
export function isConnected({ run, attempt }: Facts): boolean {
  if (!run || run.attempt !== attempt) return false;
  return run.status !== "queued" && run.status !== "dispatched";
}

/** The platform takes this attempt for one that executes, or will: its end would be news. */
export function isExpected({ run, attempt }: Facts): boolean {
  if (!run || run.attempt < attempt) return true;
  if (run.attempt > attempt) return false;
  return run.status === "dispatched" || run.status === "running" || run.status === "cancelling";
}
