import * as fc from "fast-check";
import { describe, expect } from "vitest";
import { property } from "../testing/property.ts";
import { decideDraw } from "./decide-draw.ts";

const scripts = fc.record({
  ratePerSecond: fc.integer({ min: 1, max: 2_000 }),
  burst: fc.integer({ min: 1, max: 4_000 }),
  most: fc.integer({ min: 1, max: 100 }),
  /** Milliseconds between draws; a clock may also go back. */
  pauses: fc.array(fc.integer({ min: -50, max: 2_000 }), { maxLength: 100, size: "max" }),
});

describe("decideDraw, whenever it is asked", () => {
  property("gives no more than burst and rate allow", scripts, ({ pauses, ...terms }) => {
    let bucket = { tokens: terms.burst, at: 0 };
    let now = 0;
    let latest = 0;
    let given = 0;
    for (const pause of pauses) {
      now += pause;
      latest = Math.max(latest, now);
      const decision = decideDraw(bucket, { ...terms, now });
      bucket = decision.bucket;
      given += decision.draw.granted;
      expect(decision.draw.granted).toBeLessThanOrEqual(terms.most);
      expect(given).toBeLessThanOrEqual(terms.burst + (latest * terms.ratePerSecond) / 1000 + 1e-6);
    }
  });

  property("has something for who waits as long as it says", scripts, ({ pauses, ...terms }) => {
    let bucket = { tokens: 0, at: 0 };
    let now = 0;
    for (const pause of pauses) {
      now += Math.max(0, pause);
      const { draw, bucket: after } = decideDraw(bucket, { ...terms, now });
      bucket = after;
      if (draw.granted > 0) continue;
      expect(draw.retryAfterMs).toBeGreaterThan(0);
      // A millisecond for what is lost in rounding.
      const later = now + draw.retryAfterMs + 1;
      expect(decideDraw(bucket, { ...terms, now: later }).draw.granted).toBeGreaterThan(0);
    }
  });
});
