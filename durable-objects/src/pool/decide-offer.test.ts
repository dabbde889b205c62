import { describe, expect, it } from "vitest";
import { decideEnqueue } from "./decide-enqueue.ts";
import { decideOffer } from "./decide-offer.ts";
import type { OfferSituation } from "./decide-offer.ts";

const nobody: ReadonlySet<string> = new Set();
const a1 = { runnerId: "a", free: 1 };
const b3 = { runnerId: "b", free: 3 };
const c3 = { runnerId: "c", free: 3 };

describe("decideOffer", () => {
  it.for<[string, OfferSituation, string | null]>([
    ["nobody is connected", { candidates: [], holder: "a", refusedBy: nobody }, null],
    ["most free slots", { candidates: [a1, b3], holder: null, refusedBy: nobody }, "b"],
    ["first of equals", { candidates: [a1, b3, c3], holder: null, refusedBy: nobody }, "b"],
    ["the holder, though fuller", { candidates: [b3, a1], holder: "a", refusedBy: nobody }, "a"],
    [
      "a full holder is passed over",
      { candidates: [{ runnerId: "a", free: 0 }, b3], holder: "a", refusedBy: nobody },
      "b",
    ],
    ["a holder that is gone", { candidates: [a1], holder: "z", refusedBy: nobody }, "a"],
    [
      "a holder that would not",
      { candidates: [a1, b3], holder: "a", refusedBy: new Set("a") },
      "b",
    ],
    ["everyone would not", { candidates: [a1], holder: null, refusedBy: new Set("a") }, null],
    [
      "more offers than slots",
      { candidates: [{ runnerId: "a", free: -1 }], holder: "a", refusedBy: nobody },
      null,
    ],
  ])("%s", ([, situation, chosen]) => {
    expect(decideOffer(situation)).toBe(chosen);
  });
});

describe("decideEnqueue", () => {
  it.for([
    [null, 1, "wait"],
    [1, 1, "known"],
    [1, 2, "replace"],
    [2, 1, "stale"],
  ] as const)("attempt %s waits, %s comes: %s", ([waiting, attempt, decision]) => {
    expect(decideEnqueue(waiting, attempt)).toBe(decision);
  });
});
