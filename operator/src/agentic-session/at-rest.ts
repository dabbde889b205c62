import { sessionFinalizer } from "@millrace/contracts";
import { hasFinalizer, isBeingDeleted } from "../kube/finalizers.ts";
import type { Session } from "./session.ts";

/**
 * Its run is over, which it stays, and nothing of it is left: there is nothing to ask the platform. A cluster has
 * thousands of these, and an operator that starts looks at each.
 */
export function isAtRest(session: Session, leftovers: number): boolean {
  const { metadata, status } = session;
  if (status?.runId === undefined || status.completionTime === undefined) return false;
  if (leftovers > 0 || status.reports !== undefined || isBeingDeleted(session)) return false;
  if (!hasFinalizer(session, sessionFinalizer)) return false;
  return status.observedGeneration === metadata.generation;
}
