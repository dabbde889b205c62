import { describe, expect, it } from "vitest";
import { stages, t0 } from "../testing/run-state.ts";
import { retryDelay, waitsOf } from "./decide-due.ts";
import { readTimings } from "./timings.ts";

const timings = readTimings({});
const dayMs = 24 * 60 * 60_000;

describe("waitsOf", () => {
  it.for([
    ["created", {}],
    ["queued", { backoff: t0 }],
    ["dispatched", { dispatch: t0 + 10_000, start_deadline: t0 + dayMs }],
    ["running", {}],
    ["cancelling", { cancel_force: t0 }],
    ["stopping", { session_stop: t0 }],
    ["waiting", {}],
    ["over", {}],
  ] as const)("a %s run waits for %o", ([stage, expected]) => {
    expect(Object.fromEntries(waitsOf(stages[stage], timings))).toEqual(expected);
  });
});

describe("retryDelay", () => {
  it("asks for a runner again after 10 s, doubling to 5 min", () => {
    const delays = [0, 1, 2, 3, 4, 5, 6, 99].map((tries) => retryDelay("dispatch", tries) / 1000);
    expect(delays).toEqual([10, 20, 40, 80, 160, 300, 300, 300]);
  });
});

describe("readTimings", () => {
  it("takes the knobs, and keeps a grace that a runner can use", () => {
    expect(timings).toMatchObject({ leaseMs: 30_000, heartbeatMs: 10_000, leaseGraceMs: 15_000 });
    const short = readTimings({ LEASE_MS: "3000", START_DEADLINE_MS: "500" });
    expect(short).toMatchObject({ leaseMs: 3000, leaseGraceMs: 5000, startDeadlineMs: 500 });
    expect(() => readTimings({ LEASE_MS: "soon" })).toThrow("number");
  });
});
