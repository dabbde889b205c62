import { describe, expect, it } from "vitest";
import { stages, stateIn, t0 } from "../testing/run-state.ts";
import { decideCancel, decideCancelAck } from "./decide-cancel.ts";

const cancel = { by: "user", now: t0 + 5, forceMs: 30, ackMs: null };

describe("decideCancel", () => {
  it.for([
    ["created", "over"],
    ["queued", "over"],
    ["dispatched", "over"],
    ["running", "cancelling"],
    ["stopping", "cancelling"],
    ["waiting", "over"],
    ["cancelling", null],
    ["over", null],
  ] as const)("of a %s run leads to %s", ([stage, expected]) => {
    const change = decideCancel(stateIn(stages[stage]), cancel);
    expect(change?.state.stage.kind ?? null).toBe(expected);
    const types = change?.events.map(({ type }) => type) ?? [];
    const terminal = expected === "over" ? ["run.cancelled"] : [];
    expect(types).toEqual(expected === null ? [] : ["run.cancelling", ...terminal]);
  });

  it("gives the runner a deadline", () => {
    const change = decideCancel(stateIn(stages.running), cancel);
    expect(change?.state.stage).toEqual({
      kind: "cancelling",
      runnerId: "r",
      forceAt: t0 + 35,
      stopAt: null,
    });
  });

  it("has the session stopped, unless the runner acknowledges", () => {
    const change = decideCancel(stateIn(stages.running), { ...cancel, ackMs: 5 });
    expect(change?.state.stage).toMatchObject({ kind: "cancelling", stopAt: t0 + 10 });
    const acked = change && decideCancelAck(change.state);
    expect(acked?.stage).toMatchObject({ kind: "cancelling", forceAt: t0 + 35, stopAt: null });
    expect(acked && decideCancelAck(acked)).toBeNull();
    expect(decideCancelAck(stateIn(stages.stopping))).toBeNull();
  });
});
