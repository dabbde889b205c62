import type { Frame, Outcome, RunRefusal, RunnerToRun } from "@millrace/contracts";
import { decideAppend } from "./decide-append.ts";
import { decideCancelAck } from "./decide-cancel.ts";
import { decideClaim } from "./decide-claim.ts";
import { renewedLease } from "./decide-expiry.ts";
import type { Draft } from "./draft.ts";
import { fitsInline } from "./parse-message.ts";
import type { RunnerLink } from "./runner-link.ts";
import { runnerOf, type RunState } from "./state.ts";

/** What one socket is told after the commit. Of several messages in one tick, the later ones complete it. */
export interface Reply {
  /** Set when its claim was accepted: what the socket is from then on. */
  claimed?: RunnerLink;
  acked?: boolean;
  heartbeat?: number;
  refused?: { readonly code: RunRefusal; readonly expected?: number };
}

export interface Said {
  readonly link: RunnerLink;
  readonly message: RunnerToRun;
  readonly reply: Reply;
}

export interface Terms {
  readonly maxAttempts: number;
  readonly leaseMs: number;
}

/** Takes one message of a runner into the draft, and notes in the reply what to say to it once that is committed. */
export function takeMessage(draft: Draft, said: Said, terms: Terms): void {
  const { message, reply } = said;
  switch (message.type) {
    case "claim":
      claim(draft, said, message, terms);
      return;
    case "frame":
      append(draft, said, message, terms);
      return;
    case "heartbeat":
      if (renew(draft, said, terms)) reply.heartbeat = message.id;
      return;
    case "cancel_ack":
      if (renew(draft, said, terms)) draft.state = decideCancelAck(draft.state) ?? draft.state;
      return;
  }
}

/** Does the socket's runner hold the current attempt? */
export function isWriter(link: RunnerLink, state: RunState): boolean {
  if (link.runnerId === null || link.attempt !== state.attempt) return false;
  return runnerOf(state.stage) === link.runnerId;
}

function claim(
  draft: Draft,
  { link, reply }: Said,
  { runnerId, attempt, opening }: Extract<RunnerToRun, { type: "claim" }>,
  { maxAttempts, leaseMs }: Terms,
): void {
  if (attempt !== link.attempt) {
    reply.refused = { code: "fenced" };
    return;
  }
  const asked = { attempt, runnerId, maxAttempts, nextSeq: draft.tail + 1, now: draft.now };
  const decision = decideClaim(draft.state, asked);
  if (decision.kind === "refused") {
    reply.refused = { code: decision.code };
    return;
  }
  if (decision.kind === "first") {
    draft.apply(decision.change);
    draft.position = { epoch: attempt, next: 1 };
    // One too large for the log is left out: the answer says that there is no step, and the runner begins with a frame.
    if (opening !== undefined && !draft.hasSteps) draft.append(opening.events, [opening.step]);
  }
  draft.lease = renewedLease(draft.now, leaseMs);
  reply.claimed = { ...link, runnerId, tokenAt: draft.now };
}

function append(draft: Draft, { link, reply }: Said, frame: Frame, terms: Terms): void {
  if (link.runnerId === null) {
    reply.refused = { code: "not_claimed" };
    return;
  }
  const { state } = draft;
  const decision = decideAppend(draft.position, {
    attempt: link.attempt,
    producerSeq: frame.producerSeq,
    writer: isWriter(link, state) ? state.attempt : null,
    over: state.stage.kind === "over",
  });
  if (decision.kind === "refused") {
    reply.refused = decision;
    return;
  }
  if (decision.kind === "accepted" && !write(draft, frame, terms)) {
    reply.refused = { code: "invalid" };
    return;
  }
  reply.acked = true;
}

function write(draft: Draft, frame: Frame, { leaseMs }: Terms): boolean {
  const { outcome } = frame;
  if (outcome !== undefined && !fitsInline(textOf(outcome))) return false;
  if (!draft.append(frame.events, frame.steps)) return false;
  draft.position = { epoch: draft.position.epoch, next: frame.producerSeq + 1 };
  draft.lease = renewedLease(draft.now, leaseMs);
  if (outcome !== undefined) draft.endAttempt(outcome, Math.random());
  return true;
}

/** What an outcome brings into the run's state and its last event. */
function textOf(outcome: Outcome): string {
  switch (outcome.kind) {
    case "succeeded":
      return outcome.output;
    case "failed":
      return outcome.error;
    case "cancelled":
    case "released":
    case "awaiting":
      return "";
  }
}

function renew(draft: Draft, { link, reply }: Said, { leaseMs }: Terms): boolean {
  if (link.runnerId === null) {
    reply.refused = { code: "not_claimed" };
    return false;
  }
  if (!isWriter(link, draft.state)) {
    reply.refused = { code: draft.state.stage.kind === "over" ? "run_over" : "fenced" };
    return false;
  }
  draft.lease = renewedLease(draft.now, leaseMs);
  reply.acked = true;
  return true;
}
