import { describe, expect, it } from "vitest";
import { parseTraceparent, Traceparent, traceparentOf } from "./trace.ts";

const runId = "01930c1e-7b3a-7cc1-9f00-0123456789ab";
const given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

describe("trace of a run", () => {
  it("is its creator's", () => {
    expect(traceparentOf(runId, given)).toBe(given);
    expect(traceparentOf(runId, ` ${given.replace(/01$/, "00")}`)).toBe(given.replace(/01$/, "00"));
    // A later version may say more; what is known of it stays.
    const later = `${given.replace(/^00/, "01").replace(/01$/, "03")}-more`;
    expect(traceparentOf(runId, later)).toBe(given);
  });

  it.each([
    undefined,
    "",
    "nonsense",
    given.toUpperCase(),
    given.replace(/^00/, "ff"),
    given.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0".repeat(32)),
    given.replace("00f067aa0ba902b7", "0".repeat(16)),
  ])("is made of the run's id when the request says %j", (asked) => {
    const own = traceparentOf(runId, asked);
    expect(own).toBe("00-01930c1e7b3a7cc19f000123456789ab-9f000123456789ab-01");
    expect(Traceparent.parse(own)).toBe(own);
    expect(parseTraceparent(own)).toStrictEqual({
      traceId: runId.replaceAll("-", ""),
      spanId: "9f000123456789ab",
      flags: 1,
    });
  });
});
