import { describe, expect, it } from "vitest";
import { addUsage } from "@millrace/contracts";
import { costOf } from "./pricing.ts";

const price = {
  currency: "USD",
  input_per_1k: 0.01,
  output_per_1k: 0.03,
  cached_input_per_1k: 0.001,
  reasoning_per_1k: null,
  pricing_version: "v",
};
const usage = {
  inputTokens: 1000,
  outputTokens: 500,
  totalTokens: 1500,
  cachedInputTokens: 400,
  reasoningOutputTokens: 100,
};

describe("costOf", () => {
  it.for([
    ["charges cached input once", price, usage, 0.0214],
    [
      "charges cached as input without a rate",
      { ...price, cached_input_per_1k: null },
      usage,
      0.025,
    ],
    ["charges reasoning at its own rate", { ...price, reasoning_per_1k: 0.06 }, usage, 0.0244],
    ["charges no reasoning that is free", { ...price, reasoning_per_1k: 0 }, usage, 0.0184],
    ["takes unreported parts as none", price, { ...usage, cachedInputTokens: null }, 0.025],
  ] as const)("%s", ([, row, used, expected]) => {
    expect(costOf(used, row)).toEqual({
      currency: "USD",
      estimatedUsd: expected,
      pricingVersion: "v",
    });
  });

  it("is unknown when a side was not reported", () => {
    expect(costOf({ ...usage, outputTokens: null }, price)).toBeNull();
  });
});

describe("addUsage", () => {
  it("adds what was reported and leaves null what never was", () => {
    const some = { ...usage, cachedInputTokens: null };
    const sum = addUsage(addUsage(null, some), some);
    expect(sum).toMatchObject({ inputTokens: 2000, cachedInputTokens: null });
    expect(addUsage(sum, usage).cachedInputTokens).toBe(400);
  });
});
