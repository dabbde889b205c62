import type { Phase } from "@millrace/contracts";
import { within } from "@millrace/telemetry";
import { callModel } from "./call-model.ts";
import { callTool, recordInterrupted } from "./call-tool.ts";
import { RunFailed } from "./run-failed.ts";
import { phaseSpan, wordFor } from "./spans.ts";
import type { Session } from "./session.ts";
import { answersIn, finalAnswer, pendingCalls } from "./transcript.ts";

/**
 * Lets the model work through a phase until it answers without calling a tool; resolves with that
 * answer. All of its state is in the steps, so a later attempt enters the same loop and goes on.
 */
export function runPhase(session: Session, phase: Phase): Promise<string> {
  const span = phaseSpan(session, phase);
  return within(span, () => goThrough({ ...session, span }, phase), wordFor);
}

async function goThrough(session: Session, phase: Phase): Promise<string> {
  const { journal, attempt, services } = session;
  const interrupted = new Set(attempt.claimed.interruptedCalls);
  for (;;) {
    for (const call of pendingCalls(journal.steps, phase)) {
      if (interrupted.has(call.callId)) await recordInterrupted(session, phase, call);
      else await callTool(session, phase, call);
    }
    const answer = finalAnswer(journal.steps, phase);
    if (answer !== undefined) return answer;
    if (answersIn(journal.steps, phase) >= services.env.PHASE_STEP_LIMIT) {
      const message = `The ${phase} phase took more than ${services.env.PHASE_STEP_LIMIT} steps.`;
      throw new RunFailed("step_limit", message, { retryable: false });
    }
    await callModel(session, phase);
  }
}
