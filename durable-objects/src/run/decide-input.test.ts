import { limits } from "@millrace/contracts";
import { describe, expect, it } from "vitest";
import { stages, stateIn, t0 } from "../testing/run-state.ts";
import { decideInput, type Given } from "./decide-input.ts";
import type { RunState, Stage } from "./state.ts";

const now = t0 + 7;
const question = { question: "Which one?" };
const asking: Stage = { kind: "waiting", since: t0, paused: false, awaits: question };
const pausedAsking: Stage = { ...asking, paused: true };
const betweenTurns: Stage = { ...asking, awaits: { question: null } };

function give(stage: Stage, change: Partial<RunState> = {}, given: Partial<Given> = {}) {
  const asked = { content: "the first", by: "u", keepOpen: false, now, ...given };
  return decideInput(stateIn(stage, change), asked);
}

describe("an input", () => {
  it.for([
    ["asking", asking, "queued", "queued"],
    ["between turns", betweenTurns, "queued", "queued"],
    ["paused while it asks", pausedAsking, "waiting", "waiting"],
    ["paused", stages.waiting, "not_waiting", "waiting"],
    ["created", stages.created, "not_waiting", "created"],
    ["queued", stages.queued, "not_waiting", "queued"],
    ["dispatched", stages.dispatched, "not_waiting", "dispatched"],
    ["running", stages.running, "not_waiting", "running"],
    ["stopping", stages.stopping, "not_waiting", "stopping"],
    ["cancelling", stages.cancelling, "run_over", "run_over"],
    ["over", stages.over, "run_over", "run_over"],
  ] as const)("of a run that is %s", ([, stage, once, keptOpen]) => {
    for (const [keepOpen, expected] of [
      [false, once],
      [true, keptOpen],
    ] as const) {
      const answer = give(stage, {}, { keepOpen });
      expect(answer.ok ? answer.change.state.stage.kind : answer.code).toBe(expected);
    }
  });

  it("is told, and then that the run goes on", () => {
    const answer = give(asking, { inputs: 2, heard: 2 });
    expect(answer).toMatchObject({ ok: true, n: 3 });
    expect(answer.ok && answer.change.events).toEqual([
      { type: "run.input", data: { n: 3, content: "the first", by: "u" } },
      { type: "run.resumed", data: { reason: "input" } },
    ]);
    expect(answer.ok && answer.change.state).toMatchObject({ inputs: 3, heard: 2, waitedMs: 7 });
  });

  it("of a question that has its answer already is refused", () => {
    const answered = { inputs: 1, heard: 0 };
    expect(give(pausedAsking, answered)).toEqual({ ok: false, code: "not_waiting" });
    expect(give(pausedAsking, answered, { keepOpen: true })).toMatchObject({ ok: true, n: 2 });
  });

  it("follows no wish to finish", () => {
    const last = give(stages.running, {}, { content: null, keepOpen: true });
    expect(last).toMatchObject({ ok: true, change: { state: { finishing: true } } });
    const late = give(stages.running, { inputs: 1, finishing: true }, { keepOpen: true });
    expect(late).toEqual({ ok: false, code: "finishing" });
  });

  it("waits with a bounded number of others", () => {
    const full = { inputs: 4 + limits.inputsUnheard, heard: 4 };
    const answer = give(stages.running, full, { keepOpen: true });
    expect(answer).toEqual({ ok: false, code: "too_many" });
    const less = give(stages.running, { ...full, heard: 5 }, { keepOpen: true });
    expect(less.ok).toBe(true);
  });
});
