import type { FailureCode, NewEvent, Outcome, TerminalStatus } from "@millrace/contracts";
import type { Interrupted } from "./open-constructs.ts";
import { awaiting, goneOn, paused } from "./decide-pause.ts";
import type { Change, RunState } from "./state.ts";

/** How an attempt ended: by the runner's word, or by what the object saw. */
export type AttemptEnd =
  | Outcome
  /** Its lease ended: nobody knows whether it lives, so it is fenced. */
  | { readonly kind: "lease_expired" }
  /** Its session is known to be dead. */
  | {
      readonly kind: "session_over";
      readonly reason: string;
      readonly error: string;
      readonly retryable: boolean;
    }
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
  const change = decideByStage(closed, ended);
  return { ...change, events: [...ended.interrupted.closers, ...change.events] };
}

function decideByStage(state: RunState, ended: EndedAttempt): Change {
  if (state.stage.kind === "cancelling") return cancelled(state, ended);
  if (state.stage.kind === "stopping" && mayPause(ended.end)) {
    return ended.end.kind === "awaiting"
      ? paused(heardBy(state, ended.end), ended.now, { question: ended.end.question })
      : paused(state, ended.now);
  }
  return judged(state, ended);
}

/** A run that was to pause and lost its runner over it is paused: that is no failure. */
function mayPause(end: AttemptEnd): boolean {
  switch (end.kind) {
    case "succeeded":
      return false;
    case "failed":
      return end.retryable;
    case "released":
    case "awaiting":
    case "cancelled":
    case "lease_expired":
    case "session_over":
    case "cancel_unanswered":
      return true;
  }
}

function judged(state: RunState, ended: EndedAttempt): Change {
  const { end } = ended;
  switch (end.kind) {
    case "succeeded":
      return succeeded(state, end.output, ended);
    case "released":
      return end.reason === "stopped" ? paused(state, ended.now) : requeued(state, ended.now, 0);
    case "awaiting":
      return awaitsUser(heardBy(state, end), end.question, ended.now);
    case "session_over":
      return failed(state, { ...end, code: "session_failed" }, ended);
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

type Awaiting = Extract<Outcome, { kind: "awaiting" }>;

function heardBy(state: RunState, { heard }: Awaiting): RunState {
  return { ...state, heard: Math.min(state.inputs, Math.max(state.heard, heard)) };
}

/** What was said while the question was on its way is its answer: nobody says it twice. */
function awaitsUser(state: RunState, question: string | null, now: number): Change {
  if (state.inputs > state.heard) return goneOn(state, "input", now);
  return awaiting(state, { since: now, question });
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
    case "awaiting":
    case "session_over":
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
  readonly reason?: string;
  readonly retryable: boolean;
}

function failed(state: RunState, failure: Failure, ended: EndedAttempt): Change {
  const failures = state.failures + 1;
  const { code, error, reason } = failure;
  const cause = { code, error, ...(reason !== undefined && { reason }) };
  const counted: RunState = { ...state, failures, error: cause };
  const budget = { attempts: failures, maxAttempts: ended.maxAttempts };
  if (!failure.retryable || failures >= ended.maxAttempts) {
    const data = { ...cause, ...budget, usage: state.usage };
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
      { type: "run.attempt_failed", data: { attempt: state.attempt, ...cause, ...budget } },
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
  const gone = ["lease_expired", "cancel_unanswered", "released", "awaiting", "session_over"];
  const isGone = gone.includes(ended.end.kind);
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
