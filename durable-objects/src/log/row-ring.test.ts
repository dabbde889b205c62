import { describe, expect, it } from "vitest";
import { RowRing } from "./row-ring.ts";

const row = (first: number, last: number, chars = 10) => ({ first, last, text: "x".repeat(chars) });

describe("RowRing", () => {
  it("finds the row that holds a seq", () => {
    const ring = new RowRing(1000);
    for (const next of [row(5, 7), row(8, 8), row(9, 12)]) ring.push(next);
    expect([4, 5, 7, 8, 12, 13].map((seq) => ring.find(seq)?.first)).toEqual([
      undefined,
      5,
      5,
      8,
      9,
      undefined,
    ]);
  });

  it("drops the oldest over its size, never the newest", () => {
    const ring = new RowRing(25);
    for (let seq = 1; seq <= 5000; seq += 1) ring.push(row(seq, seq));
    expect([4998, 4999, 5000].map((seq) => ring.find(seq)?.first)).toEqual([undefined, 4999, 5000]);
    ring.push(row(5001, 5001, 100));
    expect(ring.find(5001)).toBeDefined();
    expect(ring.find(5000)).toBeUndefined();
  });
});
