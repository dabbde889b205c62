import { sessionFinalizer } from "@millrace/contracts";
import { hasFinalizer, isBeingDeleted } from "../kube/finalizers.ts";
import type { Facts } from "./facts.ts";
import { makeStatus } from "./make-status.ts";
import type { Change, Plan } from "./plan.ts";

/** The attempt's runner is at work in a warm pod. What that means for the session is decided once the pod is its own. */
export function decideAdoption(facts: Facts): Plan {
  const { session, attempt, job, warmPod = "", now } = facts;
  const changes: Change[] = [];
  if (!hasFinalizer(session, sessionFinalizer) && !isBeingDeleted(session)) {
    changes.push({ kind: "add-finalizer" });
  }
  // Two pods must not be one attempt's.
  if (job) changes.push({ kind: "delete-job", attempt });
  changes.push({ kind: "adopt-pod", attempt, podName: warmPod });
  const told = { reason: "Adopted", message: `Warm pod ${warmPod} has taken the run` };
  const begun = { attempt, begun: { warmPod } };
  const status = makeStatus(facts, { phase: "Creating", ...told }, begun);
  return { changes, status, requeue: { kind: "at", at: now } };
}
