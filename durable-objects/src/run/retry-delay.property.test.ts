import * as fc from "fast-check";
import { describe, expect } from "vitest";
import { property } from "../testing/property.ts";
import { decideRetry } from "../thread/decide-retry.ts";
import { stages, stateIn, t0 } from "../testing/run-state.ts";
import { decideExpiry } from "./decide-expiry.ts";
import { decideOutcome } from "./decide-outcome.ts";
import { nothingInterrupted } from "./open-constructs.ts";
import { retryDelay, type DueKey } from "./decide-due.ts";

const tries = fc.nat({ max: 1_000_000 });
const effects = fc.constantFrom<DueKey>("dispatch", "report", "index", "artifacts", "abort:u");

describe("what is owed and failed", () => {
  property(
    "is tried again by the run within five minutes, later each time, never at once",
    fc.record({ tries, what: effects }),
    ({ what, tries: count }) => {
      const delayMs = retryDelay(what, count);
      expect(delayMs).toBeGreaterThanOrEqual(2_000);
      expect(delayMs).toBeLessThanOrEqual(5 * 60_000);
      expect(retryDelay(what, count + 1)).toBeGreaterThanOrEqual(delayMs);
    },
  );

  property(
    "is tried again by the thread within a minute, later each time, never at once",
    fc.record({ tries, now: fc.nat() }),
    ({ tries: count, now }) => {
      const delayMs = decideRetry(count, now) - now;
      expect(delayMs).toBeGreaterThanOrEqual(1_000);
      expect(delayMs).toBeLessThanOrEqual(60_000);
      expect(decideRetry(count + 1, now)).toBeGreaterThanOrEqual(now + delayMs);
    },
  );
});

describe("a run that failed", () => {
  property(
    "comes back after 1.5 to 30 s, however often it failed",
    fc.record({
      failures: fc.nat({ max: 200 }),
      jitter: fc.double({ min: 0, max: 0.999, noNaN: true }),
    }),
    ({ failures, jitter }) => {
      const end = { kind: "lease_expired" } as const;
      const ended = { end, maxAttempts: 1_000, lateArchiveMs: 0, now: t0, jitter };
      const state = stateIn(stages.running, { failures });
      const { stage } = decideOutcome(state, { ...ended, interrupted: nothingInterrupted }).state;
      const backoffMs = stage.kind === "queued" ? stage.readyAt - t0 : -1;
      expect(backoffMs).toBeGreaterThanOrEqual(1_500);
      expect(backoffMs).toBeLessThanOrEqual(30_000);
    },
  );
});

describe("a lease", () => {
  const moments = fc.record({
    until: fc.nat(),
    now: fc.nat(),
    graceMs: fc.nat(),
    graced: fc.boolean(),
  });

  property(
    "holds until its end, and then once more, never twice",
    moments,
    ({ now, graceMs, ...lease }) => {
      const decision = decideExpiry(lease, now, graceMs);
      const afterIts = lease.graced ? "expired" : "graced";
      expect(decision.kind).toBe(now < lease.until ? "holds" : afterIts);
      const then = decision.kind === "graced" ? decision.lease : { until: now, graced: true };
      expect(decideExpiry(then, then.until, graceMs).kind).toBe("expired");
    },
  );
});
