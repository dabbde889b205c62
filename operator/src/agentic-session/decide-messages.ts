import type { SessionMessage } from "@millrace/contracts";
import type { Facts } from "./facts.ts";
import type { Change } from "./plan.ts";
import type { Session } from "./session.ts";

/**
 * What its user has written into the spec and the run was not told yet, in order. A run that ends with its turn is told
 * one at a time, and only when it has asked.
 */
export function decideMessages(facts: Facts, runId: string): readonly Change[] {
  const { session, run } = facts;
  if (!run || run.status === "cancelling") return [];
  const open = unsentOf(session);
  const messages = session.spec.stopOnRunFinished ? open.slice(0, hasAsked(facts) ? 1 : 0) : open;
  return messages.length === 0 ? [] : [{ kind: "send-messages", runId, messages }];
}

function unsentOf({ spec, status }: Session): readonly SessionMessage[] {
  const sent = new Set(status?.sentMessages);
  return (spec.messages ?? []).filter(({ id }) => !sent.has(id));
}

/** By its own word; or the session last said so, since the answer to what was sent then may have been lost. */
function hasAsked({ session, run }: Facts): boolean {
  const phase = session.status?.phase;
  const hasRested = phase === "Waiting" || phase === "Stopped";
  return hasRested || typeof run?.waiting?.question === "string";
}
