import type { AgenticSessionStatus } from "@millrace/contracts";
import type { Requeue } from "../kube/controller.ts";
import { type Found, runChecks } from "./checks.ts";
import { isGoing } from "./claims.ts";
import { clearOthers } from "./clear-attempts.ts";
import { inactiveAt, wantsRestart, wantsStop } from "./wishes.ts";
import { type Facts, isConnected, isExpected, startDeadline, wasStarted } from "./facts.ts";
import { makeFailureReport, makeStoppedReport } from "./make-report.ts";
import { makeStatus, type Told } from "./make-status.ts";
import type { Change, Plan } from "./plan.ts";
import { tellWaiting } from "./tell-waiting.ts";
import { isPodOver } from "./pod-facts.ts";
import { annotations } from "./resources/annotations.ts";

/** The platform wants this attempt executed, or ended. */
export function decideAttempt(facts: Facts, runId: string, wish: readonly Change[]): Plan {
  if (facts.stopBy !== undefined) return decideStop(facts, runId);
  // It was handed back, ended by itself, or another attempt has taken over: nothing of it is news.
  if (!isExpected(facts) && wasStarted(facts)) return endedQuietly(facts, wish);
  const found = runChecks(facts);
  const failure = found.find(({ failsAt }) => failsAt <= facts.now);
  if (failure) return failed(facts, runId, failure);
  if (!wasStarted(facts)) return decideStart(facts, wish, found);
  return underWay(facts, runId, wish, found);
}

function decideStart(facts: Facts, wish: readonly Change[], found: readonly Found[]): Plan {
  const { attempt, session } = facts;
  const creating = { reason: "Creating", message: "The pod is being made" };
  const told = hintOf(found) ?? creating;
  // Two pods must not write into one volume; on a volume of its own the fence alone is enough.
  const isShared = session.spec.storage.mode === "persistent";
  const changes: Change[] = [...wish, ...clearOthers(facts)];
  const inUse = isShared ? whyVolumeWaits(facts) : undefined;
  if (inUse !== undefined) {
    const status = makeStatus(facts, { phase: "Pending", reason: "VolumeInUse", message: inUse });
    return { changes, status, requeue: requeueAt(facts, found) };
  }
  if (facts.stalePod && !isPodOver(facts.stalePod) && facts.now < startDeadline(facts)) {
    const message = "The warm pod that had taken the run did not claim it, and is ended";
    const status = makeStatus(facts, { phase: "Creating", reason: "WarmPodReplaced", message });
    return { changes, status, requeue: { kind: "at", at: startDeadline(facts) } };
  }
  changes.push({ kind: "start-attempt", attempt });
  const begun = { attempt, begun: { warmPod: undefined } };
  const status = makeStatus(facts, { phase: "Creating", ...told }, begun);
  return { changes, status, requeue: requeueAt(facts, found) };
}

function whyVolumeWaits({ others, claim, session }: Facts): string | undefined {
  if (others.some(({ isAlive }) => isAlive))
    return "An earlier attempt's pod still holds the volume";
  if (!isGoing(claim, session)) return undefined;
  return "The volume of this name is being deleted, with an earlier session or by hand";
}

function underWay(
  facts: Facts,
  runId: string,
  wish: readonly Change[],
  found: readonly Found[],
): Plan {
  const { attempt, now } = facts;
  const changes: Change[] = [...wish, ...clearOthers(facts)];
  if (now >= tokenRenewAt(facts)) changes.push({ kind: "renew-token", runId, attempt });
  return {
    changes,
    status: makeStatus(facts, describe(facts, found)),
    requeue: requeueAt(facts, found),
  };
}

function describe(facts: Facts, found: readonly Found[]) {
  if (wantsStop(facts)) return { phase: "Stopping" as const, ...whyStopping(facts) };
  if (facts.run?.status === "cancelling") {
    return {
      phase: "Stopping",
      reason: "Cancelling",
      message: "The run is being cancelled",
    } as const;
  }
  if (isConnected(facts)) {
    return {
      phase: "Running",
      reason: "RunnerConnected",
      message: "The run is executing",
    } as const;
  }
  const starting = { reason: "Starting", message: "Waiting for the runner to connect" };
  return { phase: "Creating", ...(hintOf(found) ?? starting) } as const;
}

function whyStopping(facts: Facts) {
  if (facts.session.spec.desiredState === "Stopped") {
    return { reason: "Stopping", message: "The run is being paused" };
  }
  if (wantsRestart(facts)) return { reason: "Restarting", message: "The run starts anew" };
  const { inactivityTimeoutSeconds } = facts.session.spec;
  return { reason: "Inactive", message: `Nothing happened for ${inactivityTimeoutSeconds} s` };
}

/** Found for every attempt: until their time has come they explain nothing. */
const bounds: ReadonlySet<string> = new Set(["NotConnected", "DeadlineExceeded"]);

/** Not a failure yet, but the reason why nothing goes on. */
function hintOf(found: readonly Found[]) {
  const first = found.find(({ check }) => !bounds.has(check.reason));
  return first && { reason: first.check.reason, message: first.message };
}

/** First the report is stored, then what is left is taken away: an operator that dies between loses nothing. */
function failed(facts: Facts, runId: string, failure: Found): Plan {
  const report = isExpected(facts) ? [makeFailureReport(facts, runId, failure)] : [];
  const { reason } = failure.check;
  return over(facts, report, { phase: "Pending", reason, message: failure.message });
}

function endedQuietly(facts: Facts, wish: readonly Change[]): Plan {
  const told = tellWaiting(facts) ?? tellRequeued(facts);
  // A runner that has released its run ends by itself; until then its pod holds the last of its files.
  if (facts.pod && !isPodOver(facts.pod) && !facts.pod.metadata.deletionTimestamp) {
    const { podName, graceSeconds } = { podName: facts.pod.metadata.name, graceSeconds: 30 };
    const changes: Change[] = [...wish, { kind: "delete-pod", podName, graceSeconds }];
    return {
      ...over(facts, [], told),
      changes,
    };
  }
  return {
    ...over(facts, [], told),
    changes: wish,
  };
}

function tellRequeued({ run, session }: Facts): Told {
  const isWaiting = run?.status === "waiting";
  // Handed back, failed, or silent: which of them the run object knows, and a fence that says so may come later.
  const message = isWaiting
    ? "The runner has handed the run back"
    : "The attempt is over, the run is queued again";
  const phase = isWaiting ? "Stopping" : "Pending";
  if (session.status?.reason === "Inactive") return { phase, reason: "Inactive", message };
  return { phase, reason: isWaiting ? "Stopping" : "Requeued", message };
}

function decideStop(facts: Facts, runId: string): Plan {
  const told = whyStopped(facts) ?? {
    phase: "Stopping",
    reason: "Stopping",
    message: "The pod is being stopped",
  };
  const end = changesToEnd(facts);
  if (end) return { changes: end, status: makeStatus(facts, told), requeue: { kind: "settled" } };
  const stopped = {
    phase: "Stopping",
    reason: "Stopped",
    message: "The pod was stopped",
  } as const;
  return over(facts, [makeStoppedReport(facts, runId)], whyStopped(facts) ?? stopped);
}

/** Undefined: nothing of the attempt executes, or will. */
function changesToEnd({ job, pod, secret, attempt }: Facts): readonly Change[] | undefined {
  if (pod && !isPodOver(pod)) {
    const graceMs = Number(secret?.metadata.annotations?.[annotations.stopGraceMs] ?? 5000);
    const graceSeconds = Math.max(1, Math.ceil(graceMs / 1000));
    const { name: podName, deletionTimestamp } = pod.metadata;
    return deletionTimestamp ? [] : [{ kind: "delete-pod", podName, graceSeconds }];
  }
  return job && !pod ? [{ kind: "delete-job", attempt }] : undefined;
}

/** A fence may be the last thing that is heard of an attempt: what made the platform give up on it stays to be read. */
function whyStopped(facts: Facts): Told | undefined {
  if (facts.run?.status === "waiting") return undefined;
  const { reason = "", message = "" } = facts.session.status ?? {};
  if (facts.stopBy === "fence" && reason === silentReason) {
    return { phase: "Pending", reason, message };
  }
  const silence = runChecks(facts).find(({ check }) => check.reason === silentReason);
  return silence && { phase: "Pending", reason: silentReason, message: silence.message };
}

const silentReason = "Silent";

function over(
  facts: Facts,
  reports: NonNullable<AgenticSessionStatus["reports"]>,
  told: Told,
): Plan {
  const { attempt } = facts;
  const status = makeStatus(facts, told, { attempt, endedAttempt: attempt, reports });
  return { changes: [], status, requeue: { kind: "at", at: facts.now } };
}

function tokenRenewAt({ secret, warmPod }: Facts): number {
  // Its runner got the token over its socket, and gets the next ones there.
  if (warmPod !== undefined) return Infinity;
  const at = secret?.metadata.annotations?.[annotations.tokenRenewAt];
  return at === undefined ? Infinity : Date.parse(at);
}

/** The next moment at which something is due; before it, only a change can matter. */
function requeueAt(facts: Facts, found: readonly Found[]): Requeue {
  const due = [tokenRenewAt(facts), inactiveAt(facts), ...found.map(({ failsAt }) => failsAt)];
  const at = Math.min(...due.filter((time) => time > facts.now));
  return Number.isFinite(at) ? { kind: "at", at } : { kind: "settled" };
}
