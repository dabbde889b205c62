import { describe, expect, it } from "vitest";
import { stages, stateIn, t0 } from "../testing/run-state.ts";
import { decideDispatch, decideStartDeadline, isCurrent, mayStart } from "./decide-dispatch.ts";

describe("decideDispatch", () => {
  it.for([
    ["created", 2],
    ["queued", 2],
    ["dispatched", null],
    ["running", null],
    ["cancelling", null],
    ["stopping", null],
    ["waiting", null],
    ["over", null],
  ] as const)("of a %s run allocates attempt %s", ([stage, attempt]) => {
    const change = decideDispatch(stateIn(stages[stage]), t0 + 1);
    expect(change?.state.attempt ?? null).toBe(attempt);
    const dispatched = attempt === null ? undefined : { kind: "dispatched", since: t0 + 1 };
    expect(change?.state.stage).toEqual(dispatched);
  });
});

describe("decideStartDeadline", () => {
  it("fails only a run that still waits for a runner", () => {
    for (const stage of Object.values(stages)) {
      const change = decideStartDeadline(stateIn(stage), 3, t0 + 9);
      expect(change !== null).toBe(stage.kind === "dispatched");
    }
    const change = decideStartDeadline(stateIn(stages.dispatched), 3, t0 + 9);
    expect(change?.events).toMatchObject([
      { type: "run.failed", data: { code: "no_runner", attempts: 1 } },
    ]);
    expect(change?.state).toMatchObject({ completedAt: t0 + 9, error: { code: "no_runner" } });
  });
});

describe("isCurrent", () => {
  it("is true for the attempt that a runner holds", () => {
    const current = Object.values(stages).filter((stage) => isCurrent(stateIn(stage), 1));
    expect(current.map(({ kind }) => kind)).toEqual(["running", "cancelling", "stopping"]);
    expect(isCurrent(stateIn(stages.running), 2)).toBe(false);
  });
});

describe("mayStart", () => {
  it("is true for the attempt that is under way, claimed or not", () => {
    const current = Object.values(stages).filter((stage) => mayStart(stateIn(stage), 1));
    expect(current.map(({ kind }) => kind)).toEqual([
      "dispatched",
      "running",
      "cancelling",
      "stopping",
    ]);
    expect(mayStart(stateIn(stages.dispatched), 2)).toBe(false);
  });
});
