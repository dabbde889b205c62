import { expect, it } from "vitest";
import { backoffMs, reconnectBounds } from "./backoff.ts";

it.each([
  { tries: 0, random: 0, ms: 100 },
  { tries: 0, random: 1, ms: 50 },
  { tries: 3, random: 0, ms: 800 },
  { tries: 5, random: 0, ms: 2_000 },
  { tries: 500, random: 0, ms: 2_000 },
  { tries: 500, random: 1, ms: 1_000 },
])("waits $ms ms after $tries tries (random $random)", ({ tries, random, ms }) => {
  expect(backoffMs(tries, reconnectBounds, random)).toBe(ms);
});
