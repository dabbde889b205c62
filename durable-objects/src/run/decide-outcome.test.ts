import { describe, expect, it } from "vitest";
import { stages, stateIn, t0 } from "../testing/run-state.ts";
import { decideOutcome, type AttemptEnd } from "./decide-outcome.ts";
import { nothingInterrupted } from "./open-constructs.ts";

const now = t0 + 100;
const retryable: AttemptEnd = {
  kind: "failed",
  code: "provider_error",
  error: "x",
  retryable: true,
};

function decide(end: AttemptEnd, change: Parameters<typeof stateIn>[1] = {}, maxAttempts = 3) {
  const context = { end, maxAttempts, lateArchiveMs: 1000, now, jitter: 0.5 };
  const ended = { ...context, interrupted: nothingInterrupted };
  return decideOutcome(stateIn(change.stage ?? stages.running, change), ended);
}

describe("decideOutcome of a running attempt", () => {
  it("succeeds", () => {
    const { state, events } = decide({ kind: "succeeded", output: "done" });
    expect(state).toMatchObject({
      stage: { kind: "over", outcome: "succeeded", uploadsUntil: now + 1000 },
      output: "done",
      completedAt: now,
    });
    expect(events).toEqual([
      { type: "run.succeeded", data: { output: "done", usage: null, durationMs: 100 } },
    ]);
  });

  it.for([
    [0, 2000],
    [1, 4000],
    [2, 8000],
    [3, 16_000],
    [4, 30_000],
    [9, 30_000],
  ] as const)("retries failure after %i others in %i ms", ([failures, backoffMs]) => {
    const { state, events } = decide(retryable, { failures }, 100);
    expect(state).toMatchObject({
      stage: { kind: "queued", readyAt: now + backoffMs },
      failures: failures + 1,
      error: null,
    });
    expect(events.map(({ type }) => type)).toEqual(["run.attempt_failed", "run.retrying"]);
    expect(events[1]?.data).toEqual({ nextAttempt: 2, backoffMs });
  });

  it("fails for good when the budget is spent, or a retry cannot help", () => {
    for (const [end, failures] of [
      [retryable, 2],
      [{ ...retryable, retryable: false }, 0],
    ] as const) {
      const { state, events } = decide(end, { failures });
      expect(state.stage).toMatchObject({
        kind: "over",
        outcome: "failed",
        uploadsUntil: now + 1000,
      });
      expect(state.error).toEqual({ code: "provider_error", error: "x" });
      const attempts = failures + 1;
      expect(events).toMatchObject([{ type: "run.failed", data: { attempts, maxAttempts: 3 } }]);
    }
  });

  it("counts a lost lease as a failure, and fences the attempt from storing anything", () => {
    expect(decide({ kind: "lease_expired" }).state).toMatchObject({ failures: 1 });
    const { state, events } = decide({ kind: "lease_expired" }, { failures: 2 });
    expect(state.stage).toMatchObject({ outcome: "failed", uploadsUntil: null });
    expect(events).toMatchObject([{ type: "run.failed", data: { code: "lease_expired" } }]);
  });

  it("does not count a release", () => {
    const { state, events } = decide({ kind: "released", reason: "drain" }, { failures: 2 });
    expect(state).toMatchObject({ stage: { kind: "queued", readyAt: now }, failures: 2 });
    expect(events).toEqual([{ type: "run.retrying", data: { nextAttempt: 2, backoffMs: 0 } }]);
  });

  it("closes first what was left open, and remembers it for the next attempt", () => {
    const closer = { type: "text.finished", data: { messageId: "m", interrupted: true } } as const;
    const interrupted = { closers: [closer], callIds: ["c2"], superseded: { from: 3, to: 4 } };
    const context = { end: retryable, maxAttempts: 3, lateArchiveMs: 0, now, jitter: 0 };
    const state = stateIn(stages.running, { interruptedCalls: ["c1"] });
    const change = decideOutcome(state, { ...context, interrupted });
    expect(change.events[0]).toEqual(closer);
    expect(change.state).toMatchObject({
      interruptedCalls: ["c1", "c2"],
      superseded: { from: 3, to: 4 },
    });
  });
});

const sessionOver = {
  kind: "session_over",
  reason: "OutOfMemory",
  error: "killed",
  retryable: true,
} as const;

describe("decideOutcome of a session", () => {
  it("counts its loss as a failure, with the cluster's word for it", () => {
    const { state, events } = decide(sessionOver);
    expect(state).toMatchObject({ stage: { kind: "queued" }, failures: 1 });
    const cause = { code: "session_failed", reason: "OutOfMemory", error: "killed" };
    expect(events).toMatchObject([{ type: "run.attempt_failed", data: cause }, {}]);
  });

  it.for([
    [{ ...sessionOver, retryable: false }, 0, stages.running],
    [sessionOver, 2, stages.running],
    [sessionOver, 2, stages.dispatched],
  ] as const)("fails the run for good: %o after %i failures", ([end, failures, stage]) => {
    const { state, events } = decide(end, { failures, stage });
    expect(state.stage).toMatchObject({ outcome: "failed", uploadsUntil: null });
    expect(state.error).toMatchObject({ code: "session_failed", reason: "OutOfMemory" });
    expect(events).toMatchObject([{ type: "run.failed", data: { reason: "OutOfMemory" } }]);
  });
});

describe("decideOutcome of a run that is to pause", () => {
  it.for([
    [{ kind: "released", reason: "stopped" }, "waiting"],
    [{ kind: "released", reason: "drain" }, "waiting"],
    [{ kind: "cancelled" }, "waiting"],
    [{ kind: "lease_expired" }, "waiting"],
    [sessionOver, "waiting"],
    [retryable, "waiting"],
    [{ ...retryable, retryable: false }, "over"],
    [{ kind: "succeeded", output: "x" }, "over"],
  ] as const)("%o leads to %s", ([end, stage]) => {
    const { state, events } = decide(end, { stage: stages.stopping });
    expect(state.stage.kind).toBe(stage);
    if (stage === "over") return;
    expect(state.failures).toBe(0);
    expect(events).toEqual([{ type: "run.waiting", data: { reason: "stopped" } }]);
  });

  it("pauses too when the runner was told by its own cluster", () => {
    const { state } = decide({ kind: "released", reason: "stopped" });
    expect(state.stage).toEqual({ kind: "waiting", since: now, paused: true, awaits: null });
  });

  it("still asks what it asked", () => {
    const { state, events } = decide({ ...asks, heard: 1 }, { stage: stages.stopping, inputs: 1 });
    expect(state.stage).toMatchObject({ paused: true, awaits: { question: "Which?" } });
    expect(state.heard).toBe(1);
    expect(events).toEqual([{ type: "run.waiting", data: { reason: "stopped" } }]);
  });
});

const asks = { kind: "awaiting", question: "Which?", heard: 0 } as const;

describe("decideOutcome of a run that needs its user", () => {
  it.for([
    [asks, { reason: "question", question: "Which?" }],
    [{ ...asks, question: null }, { reason: "input" }],
  ] as const)("waits, which is no failure: %o", ([end, data]) => {
    const { state, events } = decide(end);
    expect(state).toMatchObject({ stage: { kind: "waiting", paused: false }, failures: 0 });
    expect(events).toEqual([{ type: "run.waiting", data }]);
  });

  it("goes on at once when the user has said something meanwhile", () => {
    const { state, events } = decide({ ...asks, heard: 1 }, { inputs: 2 });
    expect(state).toMatchObject({ stage: { kind: "queued", readyAt: now }, heard: 1 });
    expect(events).toEqual([{ type: "run.resumed", data: { reason: "input" } }]);
  });

  it("believes no runner that has heard what was never said", () => {
    expect(decide({ ...asks, heard: 9 }, { inputs: 1 }).state.heard).toBe(1);
  });
});

describe("decideOutcome while cancelling", () => {
  it.for([
    [{ kind: "succeeded", output: "x" }, { reported: "succeeded" }],
    [retryable, { reported: "failed" }],
    [{ kind: "cancelled" }, { reported: "cancelled" }],
    [
      { kind: "released", reason: "drain" },
      { forced: true, stopped: true },
    ],
    [sessionOver, { forced: true, stopped: true }],
    [{ kind: "lease_expired" }, { forced: true, stopped: false }],
    [{ kind: "cancel_unanswered" }, { forced: true, stopped: false }],
  ] as const)("%o ends cancelled", ([end, data]) => {
    const { state, events } = decide(end, { stage: stages.cancelling });
    const isGone = !["succeeded", "failed", "cancelled"].includes(end.kind);
    expect(state.stage).toEqual({
      kind: "over",
      outcome: "cancelled",
      uploadsUntil: isGone ? null : now + 1000,
    });
    expect(state.output).toBeNull();
    expect(events).toEqual([{ type: "run.cancelled", data }]);
  });
});
