import { describe, expect, it } from "vitest";
import { isMatch, literalPrefix } from "./match-pattern.ts";

describe("isMatch", () => {
  it.for([
    ["a", "a", true],
    ["a", "b", false],
    ["a/b", "a", false],
    ["events/*", "events/one", true],
    ["events/*", "events", false],
    ["events/*", "events/", true],
    ["events/*", "events/one/two", false],
    ["*/one", "events/one", true],
    ["**", "anything/at/all", true],
    ["a/**", "a", true],
    ["a/**", "a/b/c", true],
    ["a/**", "ab", false],
    ["a/**/z", "a/z", true],
    ["a/**/z", "a/b/c/z", true],
    ["a/**/z", "a/b/c", false],
    ["**/x/**/y", "x/x/y/y", true],
    ["log-*", "log-1", false],
    ["log-*", "log-*", true],
    ["%2A", "*", true],
    ["%2a", "a", false],
  ] as const)("%s and %s: %s", ([pattern, name, expected]) => {
    expect(isMatch(pattern, name)).toBe(expected);
  });

  it("takes no time to speak of where backtracking would take for ever", () => {
    const pattern = `${"**/a/".repeat(80)}b`;
    expect(isMatch(pattern, "a/".repeat(120))).toBe(false);
  });
});

it.for([
  ["events/*", "events"],
  ["a/b/**", "a/b"],
  ["**", ""],
  ["a/b", "a/b"],
  ["%2A/b/*", "*/b"],
] as const)("every name that fits %s begins with %s", ([pattern, prefix]) => {
  expect(literalPrefix(pattern)).toBe(prefix);
});
