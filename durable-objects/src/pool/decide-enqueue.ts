/**
 *     wait      it takes a place
 *     replace   it takes a place, and an earlier attempt of the run loses its own
 *     known     it waits already
 *     stale     a later attempt waits
 */
export type EnqueueDecision = "wait" | "replace" | "known" | "stale";

/** A run waits once, with its newest attempt. */
export function decideEnqueue(waitingAttempt: number | null, attempt: number): EnqueueDecision {
  if (waitingAttempt === null) return "wait";
  if (waitingAttempt === attempt) return "known";
  return waitingAttempt > attempt ? "stale" : "replace";
}
