import type { RunSpec } from "@millrace/contracts";
import type { WaitingRun } from "./pool-rpc.ts";
import type { Runner } from "./state.ts";

/** Whether this runner may be offered the run at all. */
export function isSuited(
  { spec, attempt }: Pick<WaitingRun, "spec" | "attempt">,
  runner: Runner,
): boolean {
  if (spec === undefined) return runner.kind === "pool";
  // What a session says of its pod may change, and counts from the next attempt on.
  if (attempt > 1 || spec.needsOwnPod || spec.repos.length > 0) return false;
  // A run that wants a session goes to a pod that is one run's alone, and can become its session's.
  return runner.kind === "warm" && runner.podName !== null && isInPlace(spec, runner);
}

/** A pod stays in its namespace, and so do sessions. */
function isInPlace({ session, owner }: RunSpec, { namespace, owners }: Runner): boolean {
  if (session !== null) return session.namespace === namespace;
  return owners === null || owners.includes("*") || owners.includes(owner ?? "*");
}
