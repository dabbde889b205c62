import { describe, expect, it } from "vitest";
import { decideLeader, resendDelay } from "./decide-leader.ts";

const operator = (operatorId: string, leaderAt: number | null) => ({ operatorId, leaderAt });

describe("decideLeader", () => {
  it.for([
    [[], null],
    [[operator("a", null)], null],
    [[operator("a", null), operator("b", 1)], "b"],
    [[operator("a", 2), operator("b", 1)], "a"],
    [[operator("a", 0)], "a"],
  ] as const)("of %o it is %s", ([operators, leader]) => {
    expect(decideLeader(operators)?.operatorId ?? null).toBe(leader);
  });
});

describe("resendDelay", () => {
  it("doubles from 10 s to 5 min", () => {
    expect([0, 1, 4, 5, 99].map((tries) => resendDelay(tries) / 1000)).toEqual([
      10, 20, 160, 300, 300,
    ]);
  });
});
