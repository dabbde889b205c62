import { type AgenticSessionStatus, isOver, sessionFinalizer } from "@millrace/contracts";
import { hasFinalizer } from "../kube/finalizers.ts";
import { settled } from "../kube/controller.ts";
import { isSettled } from "../session-logs/keeping.ts";
import { tellRetained } from "./claims.ts";
import { clearOthers } from "./clear-attempts.ts";
import type { Facts } from "./facts.ts";
import { makeStoppedReport } from "./make-report.ts";
import { type Told, makeStatus } from "./make-status.ts";
import type { Change, Plan } from "./plan.ts";
import { isPodOver } from "./pod-facts.ts";
import { runIdOf } from "./run-id.ts";

/** After this a deletion goes on, whatever could not be cleared away. */
const deletionMs = 120_000;

/** The run is cancelled, its pod ends, logs are kept, tokens revoked: then the object may go. Its children go with it. */
export function decideDeletion(facts: Facts): Plan {
  const { session, now } = facts;
  const status = makeStatus(facts, whyDeleted(facts), { reports: reportsOf(facts) });
  if (!hasFinalizer(session, sessionFinalizer)) {
    return { changes: [], status: session.status ?? {}, requeue: settled };
  }
  const until = Date.parse(session.metadata.deletionTimestamp ?? "") + deletionMs;
  if (now >= until) return { changes: giveUp(facts), status, requeue: settled };
  const waits = { status, requeue: { kind: "at", at: until } } as const;
  const runId = runIdOf(facts);
  if (isRunOpen(facts) && runId !== undefined) return { ...waits, changes: endRun(facts, runId) };
  if (facts.pod && !isPodOver(facts.pod)) return { ...waits, changes: endPod(facts) };
  return { ...waits, changes: finish(facts, runId) };
}

function whyDeleted({ isNamespaceTerminating, session }: Facts): Told {
  const { namespace } = session.metadata;
  const [reason, message] = isNamespaceTerminating
    ? ["NamespaceTerminating", `Namespace ${namespace} is being deleted, and the session with it`]
    : ["Deleting", "The session is being deleted"];
  return { phase: "Stopping", reason, message };
}

/** Nothing executes the run that is being cancelled: nobody but us would tell. */
function reportsOf(facts: Facts): NonNullable<AgenticSessionStatus["reports"]> {
  const { run, attempt, pod, warmPod } = facts;
  const runId = runIdOf(facts);
  if (runId === undefined || run?.status !== "cancelling" || run.attempt !== attempt) return [];
  // A warm pod that was not adopted may execute it all the same.
  const isDead = pod ? isPodOver(pod) : warmPod === undefined;
  return isDead ? [makeStoppedReport(facts, runId)] : [];
}

function endRun(facts: Facts, runId: string): readonly Change[] {
  return facts.run?.status === "cancelling" ? stopPod(facts) : [{ kind: "cancel-run", runId }];
}

/** A run that was never seen may be open: cancelling it again changes nothing. */
const isRunOpen = ({ run }: Facts): boolean => run === undefined || !isOver(run.status);

/** The platform asked for the pod's end: its runner did not answer the cancel. */
const stopPod = (facts: Facts): readonly Change[] =>
  facts.stopBy === undefined ? [] : endPod(facts);

function endPod({ pod }: Facts): readonly Change[] {
  if (!pod || pod.metadata.deletionTimestamp !== undefined) return [];
  return [{ kind: "delete-pod", podName: pod.metadata.name, graceSeconds: 5 }];
}

function finish(facts: Facts, runId: string | undefined): readonly Change[] {
  const { attempt, pod, job, secret } = facts;
  const changes: Change[] = [];
  if (job || pod || secret) {
    changes.push({ kind: "clear-attempt", attempt, podName: pod?.metadata.name });
  }
  if (runId !== undefined) {
    changes.push(...clearOthers(facts), { kind: "revoke-tokens", runId });
    if (facts.session.spec.retention.logs === 0) changes.push({ kind: "delete-logs", runId });
  }
  return [...changes, ...tellRetained(facts), { kind: "remove-finalizer" }];
}

function unkept({ attempt, logs, others }: Facts): readonly number[] {
  return [...others, { attempt, logs }]
    .filter((one) => !isSettled(one.logs))
    .map((one) => one.attempt);
}

function giveUp(facts: Facts): readonly Change[] {
  const left = [
    ...(isRunOpen(facts) && runIdOf(facts) !== undefined
      ? [`run ${runIdOf(facts)} may be open`]
      : []),
    ...(facts.pod && !isPodOver(facts.pod)
      ? [`pod ${facts.pod.metadata.name} may be running`]
      : []),
    ...unkept(facts).map((attempt) => `logs of attempt ${attempt} are not kept`),
  ];
  const what = left.length > 0 ? left.join("; ") : "its logs and tokens";
  const note = `Deleted after ${deletionMs / 1000} s with this left: ${what}`;
  const told = { kind: "tell", type: "Warning", reason: "LeftBehind", note } as const;
  return [told, ...tellRetained(facts), { kind: "remove-finalizer" }];
}
