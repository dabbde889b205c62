import { describe, expect, it } from "vitest";
import {
  decideAsk,
  decideNext,
  decideTake,
  decideTold,
  dueAt,
  hold,
  retryDelay,
  settled,
} from "./decide-wake.ts";
import type { Stage, SubscriptionState, Target } from "./state.ts";

const now = 1_000_000;
const webhook: Target = { type: "webhook", url: "https://example.com/" };
const pull: Target = { type: "pull-wake", wakeStream: "wake" };
const pending = { now, isPending: true, wakeId: "w_new", jitter: 0.5 };
const quiet = { ...pending, isPending: false };

function stateIn(stage: Stage, change: Partial<SubscriptionState> = {}): SubscriptionState {
  return {
    orgId: "o",
    id: "s",
    uid: "u",
    target: webhook,
    pattern: "a/*",
    leaseTtlMs: 1_000,
    description: null,
    configHash: "h",
    origin: "https://edge",
    createdAt: 0,
    generation: 7,
    failures: 0,
    stage,
    ...change,
  };
}

const wakeId = "w_7";
const owed: Stage = { kind: "owed", wakeId, at: now, asked: 0 };
const asked: Stage = { ...owed, asked: 1 };
const telling: Stage = { kind: "telling", wakeId, until: now + 1 };
const told: Stage = { kind: "told", wakeId };
const held: Stage = { kind: "held", wakeId, holder: "worker", until: now + 1 };
const overdue = <Of extends Stage>(stage: Of): Of => ({ ...stage, until: now });

describe("what comes next", () => {
  it("is a new wake when there is something to read", () => {
    expect(decideNext(stateIn({ kind: "idle" }), pending)).toMatchObject({
      generation: 8,
      stage: { kind: "owed", wakeId: "w_new", at: now, asked: 0 },
    });
  });

  it.for([
    ["idle", { kind: "idle" }, quiet],
    ["owed", owed, pending],
    ["telling", telling, pending],
    ["told", told, pending],
    ["held", held, pending],
    ["held", held, quiet],
    ["telling", telling, quiet],
  ] as const)("is nothing: %s", ([, stage, facts]) => {
    const state = stateIn(stage);
    expect(decideNext(state, facts)).toBe(state);
  });

  it.for([owed, asked, told])("is nothing when its streams are gone: $kind", (stage) => {
    expect(decideNext(stateIn(stage), quiet).stage).toEqual({ kind: "idle" });
  });

  it("is the same wake, later, when nobody says how telling went", () => {
    const next = decideNext(stateIn(overdue(telling)), pending);
    expect(next).toMatchObject({
      generation: 7,
      failures: 1,
      stage: { kind: "owed", wakeId, at: now + 1_000, asked: 0 },
    });
  });

  it("is another wake when the lease is over: for workers at once, for a receiver later", () => {
    const worker = decideNext(stateIn(overdue(held), { target: pull }), pending);
    expect(worker).toMatchObject({ generation: 8, failures: 1, stage: { at: now } });
    const receiver = decideNext(stateIn(overdue(held), { failures: 2 }), pending);
    expect(receiver).toMatchObject({ generation: 8, failures: 3, stage: { at: now + 4_000 } });
    expect(decideNext(stateIn(overdue(held)), quiet).stage).toEqual({ kind: "idle" });
  });
});

describe("a wake is taken", () => {
  it("once, when somebody was asked to", () => {
    const state = stateIn(asked);
    const taken = decideTake(state, 7, now);
    expect(taken?.stage.kind).toBe("telling");
    expect(taken && decideTake(taken, 7, now)).toBeNull();
  });

  it.for([
    ["before its time", owed, 7],
    ["of another generation", asked, 6],
    ["while it is held", held, 7],
    ["after it was told", told, 7],
  ] as const)("not %s", ([, stage, generation]) => {
    expect(decideTake(stateIn(stage), generation, now)).toBeNull();
  });

  it("by whoever comes, and others are asked ever less often", () => {
    let state = stateIn(owed);
    const delays = Array.from({ length: 8 }, () => {
      if (state.stage.kind === "owed") state = decideAsk(state, state.stage, now);
      return (dueAt(state) ?? 0) - now;
    });
    expect(delays).toEqual([5e3, 1e4, 2e4, 4e4, 8e4, 16e4, 3e5, 3e5]);
  });
});

describe("a receiver that was told", () => {
  it("is done: more to read is another wake", () => {
    const state = stateIn(telling, { failures: 3 });
    expect(decideTold(state, "done", quiet)).toMatchObject({
      failures: 0,
      stage: { kind: "idle" },
    });
    expect(decideTold(state, "done", pending)).toMatchObject({ generation: 8 });
    expect(decideTold(stateIn(held), "done", quiet).stage).toEqual({ kind: "idle" });
  });

  it("will say later: the lease runs, from its callback on if that came first", () => {
    expect(decideTold(stateIn(telling), "accepted", pending).stage).toEqual({
      kind: "held",
      wakeId,
      holder: null,
      until: now + 3_000,
    });
    const state = stateIn(held);
    expect(decideTold(state, "accepted", pending)).toBe(state);
  });

  it("was not reached: the same wake again, unless it called back", () => {
    expect(decideTold(stateIn(telling), "failed", pending)).toMatchObject({
      generation: 7,
      failures: 1,
      stage: { kind: "owed", wakeId, asked: 0 },
    });
    const state = stateIn(held);
    expect(decideTold(state, "failed", pending)).toBe(state);
  });
});

it("waits 1 s, doubling to a minute, and an hour after twenty failures", () => {
  const delays = [1, 2, 6, 7, 20, 21].map((failures) => retryDelay(failures, 0.5));
  expect(delays).toEqual([1_000, 2_000, 32_000, 60_000, 60_000, 3_600_000]);
  expect([retryDelay(1, 0), retryDelay(1, 1)]).toEqual([800, 1_200]);
});

it("an acknowledgement clears what failed before", () => {
  expect(settled(stateIn(held, { failures: 9 }))).toMatchObject({ failures: 0 });
  expect(dueAt(hold(stateIn(told), wakeId, "w", now))).toBe(now + 3_000);
});
