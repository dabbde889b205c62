import { type SessionRun, isOver, sessionFinalizer } from "@millrace/contracts";
import { withClaim } from "./claims.ts";
import { clearCurrent, clearOthers } from "./clear-attempts.ts";
import { wantsStop } from "./wishes.ts";
import { hasFinalizer, isBeingDeleted } from "../kube/finalizers.ts";
import { settled } from "../kube/controller.ts";
import { decideAttempt } from "./decide-attempt.ts";
import { decideDeletion } from "./decide-deletion.ts";
import { type Facts, isToAdopt } from "./facts.ts";
import { decideAdoption } from "./decide-adoption.ts";
import { withLogs } from "./decide-logs.ts";
import { type Told, makeStatus } from "./make-status.ts";
import { decideMessages } from "./decide-messages.ts";
import { forgottenAt, isPaused, tellWaiting } from "./tell-waiting.ts";
import type { Session } from "./session.ts";
import type { Change, Plan } from "./plan.ts";
import { edgeRunLabel } from "./resources/make-edge-session.ts";
import { runIdOf } from "./run-id.ts";

/** How long a runner may go on storing its archive after the run's end. */
const archiveMs = 600_000;
/** While a Secret is missing; nothing tells when it comes. */
const lookAgainMs = 15_000;

/** What to do about a session, what to say of it, and when to look again. Pure. */
export function decide(facts: Facts): Plan {
  const plan = withClaim(facts, withLogs(facts, decideAny(facts)));
  const { stalePod } = facts;
  if (!stalePod || stalePod.metadata.deletionTimestamp !== undefined) return plan;
  const end = { kind: "delete-pod", podName: stalePod.metadata.name, graceSeconds: 5 } as const;
  return { ...plan, changes: [end, ...plan.changes] };
}

function decideAny(facts: Facts): Plan {
  // Its pod executes already: it becomes the session's before anything else is decided.
  if (isToAdopt(facts)) return decideAdoption(facts);
  if (isBeingDeleted(facts.session)) return decideDeletion(facts);
  const plan = decideLife(facts);
  if (hasFinalizer(facts.session, sessionFinalizer)) return plan;
  return { ...plan, changes: [{ kind: "add-finalizer" }, ...plan.changes] };
}

function decideLife(facts: Facts): Plan {
  const { run, session } = facts;
  const runId = runIdOf(facts);
  if (runId === undefined) return decideCreation(facts);
  if (run && isOver(run.status)) return decideOver(facts, run);
  const wish = [...decideWish(facts, runId), ...decideMessages(facts, runId)];
  if (facts.attempt === 0 || facts.attempt <= (session.status?.endedAttempt ?? 0)) {
    return decideBetween(facts, wish);
  }
  return decideAttempt(facts, runId, wish);
}

/** A session that has no run yet. */
function decideCreation(facts: Facts): Plan {
  const { session, secretProblem, now } = facts;
  // What was refused once stays so: the run that would be asked for is the same.
  if (session.status?.phase === "Failed") {
    return { changes: [], status: session.status, requeue: settled };
  }
  if (secretProblem !== undefined) {
    const until = Date.parse(session.metadata.creationTimestamp) + deadlineOf(facts);
    const told = { reason: "SecretMissing", message: secretProblem };
    const phase = now >= until ? "Failed" : "Pending";
    const status = makeStatus(facts, { phase, ...told });
    const at = Math.min(until, now + lookAgainMs);
    return { changes: [], status, requeue: phase === "Failed" ? settled : { kind: "at", at } };
  }
  const isFromEdge = session.metadata.labels?.[edgeRunLabel] !== undefined;
  // Written when the run is there; of a run of the edge it is not known yet which it is.
  const told = isFromEdge ? accepted : queued(facts);
  return {
    changes: isFromEdge ? [] : [{ kind: "create-run" }],
    status: makeStatus(facts, { phase: "Pending", ...told }),
    requeue: settled,
  };
}

const accepted = { reason: "Accepted", message: "The run is being created" };

/** What keeps it is not told; that another session's run may is all that can be said. */
function queued({ session }: Facts): Pick<Told, "reason" | "message"> {
  const others = session.spec.threadId === undefined ? "" : threadsTurn;
  return { reason: "Queued", message: `Waiting for the platform to start the run${others}` };
}

const threadsTurn = "; the runs of a thread execute one after another";

const deadlineOf = ({ session }: Facts): number => session.spec.startDeadlineSeconds * 1000;

/** What the spec asks of the run: a pause, or its end. */
function decideWish(facts: Facts, runId: string): readonly Change[] {
  const { run, session } = facts;
  if (!run || run.status === "cancelling") return [];
  if (wantsStop(facts)) {
    return isPaused(run) || run.stopping ? [] : [{ kind: "stop-run", runId }];
  }
  if (!isPaused(run)) return [];
  // A pause for silence lasts until somebody asks for more.
  const isAskedAnew = session.status?.observedGeneration !== session.metadata.generation;
  return isIdle(session) && !isAskedAnew ? [] : [{ kind: "resume-run", runId }];
}

const isIdle = ({ status }: Session): boolean => status?.reason === "Inactive";

/** No attempt is under way: the platform has not asked for the first, or the last is over. */
function decideBetween(facts: Facts, wish: readonly Change[]): Plan {
  const isWaiting = facts.run?.status === "waiting";
  const told = isWaiting ? (tellWaiting(facts) ?? whilePaused(facts)) : whileQueued(facts);
  const [forgotten] = [forgottenAt(facts)].filter((at) => at > facts.now && at < Infinity);
  return {
    changes: [...wish, ...clearOthers(facts), ...clearCurrent(facts)],
    status: makeStatus(facts, told),
    requeue: forgotten === undefined ? settled : { kind: "at", at: forgotten },
  };
}

function whilePaused({ session }: Facts): Told {
  const { reason = "", message = "" } = session.status ?? {};
  if (isIdle(session)) return { phase: "Stopped", reason, message };
  if (session.spec.desiredState === "Running") {
    return { phase: "Waiting", reason: "Resuming", message: "The run is asked to go on" };
  }
  const how = "The run is paused; desiredState: Running goes on where it was";
  return { phase: "Stopped", reason: "Stopped", message: how };
}

function whileQueued(facts: Facts): Told {
  const { phase: before, reason, message, endedAttempt } = facts.session.status ?? {};
  const phase = wantsStop(facts) ? "Stopping" : "Pending";
  const hasRested = before === "Waiting" || before === "Stopped";
  // Between two attempts the last failure is what a person wants to read.
  if (endedAttempt !== undefined && reason !== undefined && !hasRested) {
    return { phase, reason, message: message ?? "" };
  }
  return { phase, ...queued(facts) };
}

function decideOver(facts: Facts, run: SessionRun): Plan {
  const { pod, now } = facts;
  const until = (run.completedAt ?? now) + archiveMs;
  const isBusy = pod !== undefined && facts.attempt > 0 && isAlive(facts) && now < until;
  const changes = isBusy ? [] : [...clearOthers(facts), ...clearCurrent(facts)];
  const requeue = isBusy ? ({ kind: "at", at: until } as const) : settled;
  return { changes, status: makeStatus(facts, outcomeOf(run)), requeue };
}

const isAlive = ({ pod }: Facts): boolean =>
  pod?.status?.phase !== "Succeeded" && pod?.status?.phase !== "Failed";

function outcomeOf({ status, error }: SessionRun): Told {
  if (status === "succeeded") {
    return { phase: "Completed", reason: "Succeeded", message: "The run succeeded" };
  }
  if (status === "cancelled") {
    return { phase: "Stopped", reason: "Cancelled", message: "The run was cancelled" };
  }
  const reason = error?.reason ?? camel(error?.code ?? "failed");
  return { phase: "Failed", reason, message: error?.error ?? "The run failed" };
}

/** `lease_expired` as `LeaseExpired`: reasons in Kubernetes are words without blanks. */
const camel = (code: string): string =>
  code.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
