import type { FailureCode, NewEvent, Outcome, TerminalStatus } from "@millrace/contracts";
import type { Interrupted } from "./open-constructs.ts";
import type { Change, RunState } from "./state.ts";

/** How an attempt ended: by the runner's word, or by what the object saw. */
export type AttemptEnd =
  | Outcome
  /** Its lease ended: nobody knows whether it lives, so it is fenced. */
  | { readonly kind: "lease_expired" }
  /** It did not answer a cancel in time. */
  | { readonly kind: "cancel_unanswered" };

export interface EndedAttempt {
  readonly end: AttemptEnd;
  readonly maxAttempts: number;
  readonly lateArchiveMs: number;
  /** What the attempt left open, and the seqs that the next attempt replaces. */
  readonly interrupted: Interrupted;
  readonly now: number;
  /** 0 <= jitter < 1. */
  readonly jitter: number;
}

const firstBackoffMs = 2_000;
const maxBackoffMs = 30_000;

/** What the end of the current attempt means for the run. The attempt cannot write after it. */
export function decideOutcome(state: RunState, ended: EndedAttempt): Change {
  const closed: RunState = {
    ...state,
    interruptedCalls: [...state.interruptedCalls, ...ended.interrupted.callIds],
    superseded: ended.interrupted.superseded ?? state.superseded,
    updatedAt: ended.now,
  };
  const change =
    state.stage.kind === "cancelling" ? cancelled(closed, ended) : judged(closed, ended);
  return { ...change, events: [...ended.interrupted.closers, ...change.events] };
}

function judged(state: RunState, ended: EndedAttempt): Change {
  const { end } = ended;
  switch (end.kind) {
    case "succeeded":
      return succeeded(state, end.output, ended);
    case "released":
      return requeued(state, ended.now, 0);
    case "failed":
      return failed(state, end, ended);
    case "cancelled":
      return failed(
        state,
        {
          code: "runner_error",
          error: "The runner stopped without being asked to.",
          retryable: true,
        },
        ended,
      );
    case "lease_expired":
    case "cancel_unanswered":
      return failed(
        state,
        { code: "lease_expired", error: "The runner stopped answering.", retryable: true },
        ended,
      );
  }
}

/** From cancelling there is one way out, whatever the runner says. */
function cancelled(state: RunState, ended: EndedAttempt): Change {
  const { end } = ended;
  switch (end.kind) {
    case "succeeded":
    case "failed":
    case "cancelled":
      return {
        state: over(state, "cancelled", ended),
        events: [{ type: "run.cancelled", data: { reported: end.kind } }],
      };
    case "released":
      return {
        state: over(state, "cancelled", ended),
        events: [{ type: "run.cancelled", data: { forced: true, stopped: true } }],
      };
    case "lease_expired":
    case "cancel_unanswered":
      return {
        state: over(state, "cancelled", ended),
        events: [{ type: "run.cancelled", data: { forced: true, stopped: false } }],
      };
  }
}

function succeeded(state: RunState, output: string, ended: EndedAttempt): Change {
  const event: NewEvent = {
    type: "run.succeeded",
    data: { output, usage: state.usage, durationMs: durationOf(state, ended.now) },
  };
  return { state: { ...over(state, "succeeded", ended), output }, events: [event] };
}

interface Failure {
  readonly code: FailureCode;
  readonly error: string;
  readonly retryable: boolean;
}

function failed(state: RunState, failure: Failure, ended: EndedAttempt): Change {
  const failures = state.failures + 1;
  const { code, error } = failure;
  const counted: RunState = { ...state, failures, error: { code, error } };
  const budget = { attempts: failures, maxAttempts: ended.maxAttempts };
  if (!failure.retryable || failures >= ended.maxAttempts) {
    const data = { code, error, ...budget, usage: state.usage };
    const durationMs = durationOf(state, ended.now);
    return {
      state: over(counted, "failed", ended),
      events: [{ type: "run.failed", data: { ...data, durationMs } }],
    };
  }
  const backoffMs = backoffOf(failures, ended.jitter);
  const next = requeued({ ...counted, error: null }, ended.now, backoffMs);
  return {
    state: next.state,
    events: [
      { type: "run.attempt_failed", data: { attempt: state.attempt, code, error, ...budget } },
      ...next.events,
    ],
  };
}

function requeued(state: RunState, now: number, backoffMs: number): Change {
  return {
    state: { ...state, stage: { kind: "queued", readyAt: now + backoffMs } },
    events: [{ type: "run.retrying", data: { nextAttempt: state.attempt + 1, backoffMs } }],
  };
}

/**
 * A fenced attempt stores nothing more, for its files may already belong to another run; and one that was handed
 * back has stopped.
 */
function over(state: RunState, outcome: TerminalStatus, ended: EndedAttempt): RunState {
  const isGone = ["lease_expired", "cancel_unanswered", "released"].includes(ended.end.kind);
  const uploadsUntil = isGone ? null : ended.now + ended.lateArchiveMs;
  return {
    ...state,
    stage: { kind: "over", outcome, uploadsUntil },
    superseded: null,
    completedAt: ended.now,
  };
}

function backoffOf(failures: number, jitter: number): number {
  const spread = 0.75 + jitter / 2;
  return Math.min(maxBackoffMs, Math.round(firstBackoffMs * 2 ** (failures - 1) * spread));
}

function durationOf(state: RunState, now: number): number {
  return Math.max(0, now - (state.startedAt ?? now));
}
