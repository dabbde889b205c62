import type { RunWait, SessionRun } from "@millrace/contracts";
import type { Facts } from "./facts.ts";
import type { Told } from "./make-status.ts";

const questionChars = 1024;

/** Whether the run waits to be resumed; else a run that waits does so for its user. An edge of before has only the one. */
export const isPaused = ({ status, waiting }: SessionRun): boolean =>
  status === "waiting" && (waiting?.reason ?? "stopped") === "stopped";

/** What a session says while its run waits for an answer or for the next message. Undefined: it does not. */
export function tellWaiting(facts: Facts): Told | undefined {
  const waiting = facts.run?.waiting;
  if (!waiting || waiting.reason === "stopped") return undefined;
  const { reason, message } = wordsOf(waiting);
  if (facts.now < forgottenAt(facts)) return { phase: "Waiting", reason, message };
  const { inactivityTimeoutSeconds } = facts.session.spec;
  const silence = `Nobody answered for ${inactivityTimeoutSeconds} s; an answer still goes on`;
  return { phase: "Stopped", reason: "Inactive", message: `${silence}. ${message}` };
}

/** When a session whose user says nothing counts as silent; Infinity: never. Nothing executes, so nothing is stopped. */
export function forgottenAt({ session, run }: Pick<Facts, "session" | "run">): number {
  const { inactivityTimeoutSeconds } = session.spec;
  const waiting = run?.waiting;
  if (inactivityTimeoutSeconds === 0 || !waiting || waiting.reason === "stopped") return Infinity;
  return waiting.since + inactivityTimeoutSeconds * 1000;
}

function wordsOf({ question }: RunWait): { readonly reason: string; readonly message: string } {
  if (question !== null) return { reason: "Question", message: question.slice(0, questionChars) };
  return { reason: "TurnOver", message: "The turn is over; the next message begins another" };
}
