import { describe, expect, it } from "vitest";
import { LeaseClock } from "./lease-clock.ts";

describe("LeaseClock", () => {
  const cases: readonly {
    readonly name: string;
    readonly grants: readonly (readonly [sentAt: number, leaseMs: number])[];
    readonly now: number;
    readonly holds: boolean;
    readonly mayBegin: boolean;
  }[] = [
    { name: "nothing before a grant", grants: [], now: 0, holds: false, mayBegin: false },
    { name: "a fresh lease", grants: [[0, 30_000]], now: 1, holds: true, mayBegin: true },
    { name: "24.9 s in", grants: [[0, 30_000]], now: 24_900, holds: true, mayBegin: true },
    { name: "the last 5 s", grants: [[0, 30_000]], now: 25_000, holds: true, mayBegin: false },
    { name: "at the end", grants: [[0, 30_000]], now: 30_000, holds: false, mayBegin: false },
    { name: "a sixth of a short one", grants: [[0, 600]], now: 499, holds: true, mayBegin: true },
    { name: "and after it", grants: [[0, 600]], now: 500, holds: true, mayBegin: false },
    {
      name: "counts from the send time, however late the answer is read",
      grants: [[0, 30_000]],
      now: 90_000,
      holds: false,
      mayBegin: false,
    },
    {
      name: "an older answer that comes later shortens nothing",
      grants: [
        [10_000, 30_000],
        [5_000, 30_000],
      ],
      now: 34_000,
      holds: true,
      mayBegin: true,
    },
    {
      name: "regained after its end",
      grants: [
        [0, 30_000],
        [50_000, 30_000],
      ],
      now: 60_000,
      holds: true,
      mayBegin: true,
    },
  ];
  it.each(cases)("$name", ({ grants, now, holds, mayBegin }) => {
    const clock = new LeaseClock();
    for (const [sentAt, leaseMs] of grants) clock.grant(sentAt, leaseMs);
    expect(clock.holds(now)).toBe(holds);
    expect(clock.mayBegin(now)).toBe(mayBegin);
  });

  it("holds nothing after a drop", () => {
    const clock = new LeaseClock();
    clock.grant(0, 30_000);
    clock.drop();
    expect(clock.holds(1)).toBe(false);
    expect(clock.leftMs(1)).toBe(0);
  });
});
