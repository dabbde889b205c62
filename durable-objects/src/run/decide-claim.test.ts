import { describe, expect, it } from "vitest";
import { stages, stateIn, t0 } from "../testing/run-state.ts";
import { decideClaim } from "./decide-claim.ts";

const claim = { attempt: 1, runnerId: "r", maxAttempts: 3, nextSeq: 2, now: t0 + 5 };

describe("decideClaim", () => {
  it.for([
    ["created", claim, "fenced"],
    ["queued", claim, "fenced"],
    ["dispatched", claim, "first"],
    ["dispatched", { ...claim, attempt: 2 }, "fenced"],
    ["dispatched", { ...claim, attempt: 0 }, "fenced"],
    ["running", claim, "again"],
    ["running", { ...claim, runnerId: "other" }, "lease_held"],
    ["running", { ...claim, attempt: 2 }, "fenced"],
    ["cancelling", claim, "again"],
    ["cancelling", { ...claim, runnerId: "other" }, "lease_held"],
    ["stopping", claim, "again"],
    ["waiting", claim, "fenced"],
    ["over", claim, "run_over"],
    ["over", { ...claim, attempt: 2 }, "run_over"],
  ] as const)("of a %s run, %o: %s", ([stage, asked, expected]) => {
    const decision = decideClaim(stateIn(stages[stage]), asked);
    expect(decision.kind === "refused" ? decision.code : decision.kind).toBe(expected);
  });

  it("starts the attempt and says what it replaces, once", () => {
    const superseded = { from: 3, to: 9 };
    const state = stateIn(stages.dispatched, { superseded, startedAt: null });
    const decision = decideClaim(state, claim);
    if (decision.kind !== "first") throw new Error(decision.kind);
    expect(decision.change.state).toMatchObject({
      stage: { kind: "running", runnerId: "r" },
      attemptFirst: 2,
      superseded: null,
      startedAt: t0 + 5,
    });
    expect(decision.change.events).toEqual([
      {
        type: "run.started",
        data: { attempt: 1, maxAttempts: 3, runnerId: "r", supersedes: superseded },
      },
    ]);
  });

  it("keeps the time of the run's first start", () => {
    const decision = decideClaim(stateIn(stages.dispatched), claim);
    expect(decision).toMatchObject({ change: { state: { startedAt: t0 } } });
  });
});
