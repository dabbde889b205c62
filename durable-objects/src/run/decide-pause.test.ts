import { describe, expect, it } from "vitest";
import { stages, stateIn, t0 } from "../testing/run-state.ts";
import { decideResume, decideStop } from "./decide-pause.ts";

const now = t0 + 7;

describe("decideStop", () => {
  it.for([
    ["created", null],
    ["queued", "waiting"],
    ["dispatched", "waiting"],
    ["running", "stopping"],
    ["stopping", null],
    ["waiting", null],
    ["cancelling", null],
    ["over", null],
  ] as const)("of a %s run leads to %s", ([stage, expected]) => {
    const change = decideStop(stateIn(stages[stage]), { now, answerMs: 30 });
    expect(change?.state.stage.kind ?? null).toBe(expected);
    const types = change?.events.map(({ type }) => type) ?? [];
    expect(types).toEqual(expected === "waiting" ? ["run.waiting"] : []);
  });

  it("gives a runner in a cluster a deadline, and any change a later version", () => {
    const before = stateIn(stages.running);
    const inCluster = decideStop(before, { now, answerMs: 30 });
    expect(inCluster?.state.stage).toEqual({ kind: "stopping", runnerId: "r", stopAt: now + 30 });
    expect(inCluster?.state.silentChanges).toBe(before.silentChanges + 1);
    const elsewhere = decideStop(before, { now, answerMs: null });
    expect(elsewhere?.state.stage).toMatchObject({ stopAt: null });
  });
});

const asking = { kind: "waiting", since: t0, paused: false, awaits: { question: "Q" } } as const;

describe("a run that waits for an answer", () => {
  it("is paused by a stop, and asks again after a resume", () => {
    const stopped = decideStop(stateIn(asking), { now, answerMs: 30 });
    expect(stopped?.state.stage).toEqual({ ...asking, paused: true });
    expect(stopped?.events).toEqual([{ type: "run.waiting", data: { reason: "stopped" } }]);
    const before = stateIn({ ...asking, paused: true });
    const resumed = decideResume(before, "u", now);
    expect(resumed?.state.stage).toEqual(asking);
    expect(resumed?.events).toEqual([
      { type: "run.waiting", data: { reason: "question", question: "Q" } },
    ]);
    // Its status is what it was, and readers of the view are to see it.
    expect(stopped?.state.silentChanges).toBe(1);
    expect(resumed?.state.silentChanges).toBe(1);
  });

  it("goes on after a resume when it was answered meanwhile", () => {
    const answered = stateIn({ ...asking, paused: true }, { inputs: 1 });
    expect(decideResume(answered, "u", now)?.state.stage).toEqual({ kind: "queued", readyAt: now });
  });

  it("is not put into the queue by a resume", () => {
    expect(decideResume(stateIn(asking), "u", now)).toBeNull();
  });

  it("does not count the wait as time of execution", () => {
    const late = decideResume(stateIn({ ...asking, paused: true }, { inputs: 1 }), "u", t0 + 500);
    expect(late?.state.waitedMs).toBe(500);
    const unbegun = stateIn(stages.waiting, { startedAt: null });
    expect(decideResume(unbegun, "u", t0 + 500)?.state.waitedMs).toBe(0);
  });
});

describe("decideResume", () => {
  it("queues a paused run, and no other", () => {
    for (const stage of Object.values(stages)) {
      const change = decideResume(stateIn(stage), "u", now);
      expect(change !== null).toBe(stage.kind === "waiting");
    }
    const change = decideResume(stateIn(stages.waiting), "u", now);
    expect(change?.state.stage).toEqual({ kind: "queued", readyAt: now });
    expect(change?.events).toEqual([{ type: "run.resumed", data: { reason: "u" } }]);
  });
});
