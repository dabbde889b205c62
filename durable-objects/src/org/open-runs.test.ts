import { describe, expect, it } from "vitest";
import { OpenRuns } from "./open-runs.ts";

describe("OpenRuns", () => {
  it("counts what it admitted and what the registry knows, and forgets what is over", async () => {
    let registry: readonly string[] | null = ["old"];
    let asked = 0;
    const runs = new OpenRuns(() => {
      asked += 1;
      return registry === null ? Promise.reject(new Error("away")) : Promise.resolve(registry);
    });
    expect(await runs.admit("a", 3, 10_000)).toBe(true);
    expect(await runs.admit("b", 3, 10_001)).toBe(true);
    expect(await runs.admit("c", 3, 10_002)).toBe(false);
    expect(asked).toBe(1);
    // The registry does not know them yet, and they are young.
    expect(await runs.admit("c", 3, 11_100)).toBe(false);
    registry = ["b"];
    expect(await runs.admit("c", 3, 13_000)).toBe(true);
    expect(await runs.admit("d", 3, 13_100)).toBe(true);
    registry = null;
    expect(await runs.admit("e", 3, 20_000)).toBe(false);
    registry = [];
    expect(await runs.admit("e", 3, 21_000)).toBe(true);
  });
});
