import type { Facts } from "./facts.ts";
import { annotations } from "./resources/annotations.ts";

/**
 * The session's run. Of a session that the operator made for a run of the edge only the attempt's Secret says it at
 * first; never a label or a name of the session, which its creator chooses.
 */
export function runIdOf({ session, secret, run }: Facts): string | undefined {
  return session.status?.runId ?? run?.runId ?? secret?.metadata.annotations?.[annotations.runId];
}
