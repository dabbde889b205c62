import { describe, expect, it } from "vitest";
import { decideExpiry, leaseOfLostSocket, renewedLease } from "./decide-expiry.ts";

describe("decideExpiry", () => {
  it.for([
    [{ until: 100, graced: false }, 99, "holds"],
    [{ until: 100, graced: false }, 100, "graced"],
    [{ until: 100, graced: true }, 99, "holds"],
    [{ until: 100, graced: true }, 100, "expired"],
  ] as const)("%o at %i: %s", ([lease, now, expected]) => {
    expect(decideExpiry(lease, now, 15).kind).toBe(expected);
  });

  it("puts the end off by the grace, counted from now", () => {
    const decision = decideExpiry({ until: 100, graced: false }, 500, 15);
    expect(decision).toEqual({ kind: "graced", lease: { until: 515, graced: true } });
  });
});

describe("a lease", () => {
  it("has its grace again when it is renewed", () => {
    expect(renewedLease(100, 30)).toEqual({ until: 130, graced: false });
  });

  it("ends early, and without a grace, when its socket is lost", () => {
    expect(leaseOfLostSocket({ until: 130, graced: false }, 100, 5)).toEqual({
      until: 105,
      graced: true,
    });
    expect(leaseOfLostSocket({ until: 102, graced: false }, 100, 5)).toEqual({
      until: 102,
      graced: true,
    });
  });
});
