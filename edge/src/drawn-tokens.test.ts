import { describe, expect, it } from "vitest";
import { DrawnTokens } from "./drawn-tokens.ts";

/** An org's object that gives these handfuls, one per draw. */
function handfuls(...granted: number[]) {
  let draws = 0;
  let singles = 0;
  const draw = async (handful: boolean) => {
    if (!handful) singles += 1;
    const given = handful ? (granted[draws++] ?? 0) : 0;
    return { granted: given, retryAfterMs: 500 };
  };
  return { draw, count: () => draws, singles: () => singles };
}

describe("DrawnTokens", () => {
  it("asks once per handful, and refuses when there is none", async () => {
    const tokens = new DrawnTokens(10_000);
    const org = handfuls(3, 1);
    for (let n = 0; n < 4; n += 1)
      expect(await tokens.take("k", n, org.draw)).toEqual({ ok: true });
    expect(org.count()).toBe(2);
    expect(await tokens.take("k", 5, org.draw)).toEqual({ ok: false, retryAfterMs: 500 });
    // Known to be refused: nobody is asked again before it is worth it.
    expect(await tokens.take("k", 105, org.draw)).toEqual({ ok: false, retryAfterMs: 400 });
    expect(org.count()).toBe(3);
    await tokens.take("k", 505, org.draw);
    expect(org.count()).toBe(4);
  });

  it("asks for one handful however many come at once, and gives none of it twice", async () => {
    const tokens = new DrawnTokens(10_000);
    const org = handfuls(2);
    const taken = await Promise.all([1, 2, 3].map(() => tokens.take("k", 0, org.draw)));
    expect(taken.filter(({ ok }) => ok)).toHaveLength(2);
    expect([org.count(), org.singles()]).toEqual([1, 2]);
  });

  it("asks for another handful when the one who asked was cancelled", async () => {
    const tokens = new DrawnTokens(10_000);
    void tokens.take("k", 0, () => new Promise(() => {}));
    const org = handfuls(2);
    expect(await tokens.take("k", 500, org.draw)).toMatchObject({ ok: false });
    expect(await tokens.take("k", 1_000, org.draw)).toEqual({ ok: true });
  });

  it("keeps keys apart, and nothing for long", async () => {
    const tokens = new DrawnTokens(10_000);
    const org = handfuls(5, 5, 5);
    await tokens.take("a", 0, org.draw);
    await tokens.take("b", 0, org.draw);
    expect(org.count()).toBe(2);
    await tokens.take("a", 20_000, org.draw);
    expect(org.count()).toBe(3);
  });
});
