import { describe, expect, it } from "vitest";
import { OpenRuns } from "./open-runs.ts";

describe("OpenRuns", () => {
  it("counts what it gave and what the registry knows, and forgets what is over", async () => {
    let registry: number | null = 1;
    let asked = 0;
    const runs = new OpenRuns(() => {
      asked += 1;
      return registry === null ? Promise.reject(new Error("away")) : Promise.resolve(registry);
    });
    const draw = async (now: number) => (await runs.draw({ max: 3, handful: true, now })).granted;
    expect(await draw(10_000)).toBe(1);
    expect(await draw(10_001)).toBe(1);
    expect(await draw(10_002)).toBe(0);
    expect(asked).toBe(1);
    // The registry does not know them yet, and they are young.
    expect(await draw(11_100)).toBe(0);
    registry = 1;
    expect(await draw(13_000)).toBe(1);
    expect(await draw(13_100)).toBe(1);
    registry = null;
    expect(await draw(20_000)).toBe(0);
    registry = 0;
    expect(await draw(21_000)).toBe(1);
  });

  it("gives handfuls while there is room, then one at a time, and never more than there are", async () => {
    const runs = new OpenRuns(() => Promise.resolve(0));
    const given: number[] = [];
    for (;;) {
      const { granted } = await runs.draw({ max: 1_000, handful: true, now: 10_000 });
      if (granted === 0) break;
      given.push(granted);
    }
    expect(given.slice(0, 50)).toEqual(Array.from({ length: 50 }, () => 10));
    expect(given.slice(50)).toEqual(Array.from({ length: 500 }, () => 1));
  });

  it("counts a handful until it can neither be used nor be unknown to the registry", async () => {
    let registry = 0;
    const runs = new OpenRuns(() => Promise.resolve(registry));
    const draw = (max: number, now: number) => runs.draw({ max, handful: true, now });
    expect((await draw(200, 10_000)).granted).toBe(2);
    registry = 9;
    expect((await draw(2, 21_000)).granted).toBe(0);
    expect((await draw(11, 21_500)).granted).toBe(0);
    expect((await draw(11, 22_100)).granted).toBe(1);
  });
});
