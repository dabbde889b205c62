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
