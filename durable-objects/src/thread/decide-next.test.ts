import { describe, expect, it } from "vitest";
import { decideNext, silenceMs } from "./decide-next.ts";
import type { NextDecision, OpenRun } from "./decide-next.ts";
import { decideRetry } from "./decide-retry.ts";

const executing = { runId: "a", releasedAt: 5, heardAt: 10 };
const waiting = { runId: "b", releasedAt: null, heardAt: 7 };

describe("decideNext", () => {
  it.for<[string, readonly OpenRun[], NextDecision]>([
    ["nothing is open", [], { kind: "idle" }],
    ["one executes, nobody waits", [executing], { kind: "idle" }],
    ["its predecessors are over", [waiting], { kind: "release", runId: "b" }],
    [
      "one executes, one waits",
      [executing, waiting],
      { kind: "ask", runId: "a", at: 10 + silenceMs },
    ],
    [
      "two wait: the earlier goes first",
      [waiting, { ...waiting, runId: "c" }],
      { kind: "release", runId: "b" },
    ],
  ])("%s", ([, open, decision]) => {
    expect(decideNext(open)).toEqual(decision);
  });
});

describe("decideRetry", () => {
  it.for([
    [0, 1_000],
    [1, 2_000],
    [5, 32_000],
    [6, 60_000],
    [1_000_000, 60_000],
  ] as const)("after %i tries, %i ms later", ([tries, delayMs]) => {
    expect(decideRetry(tries, 100)).toBe(100 + delayMs);
  });
});
