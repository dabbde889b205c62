import { expect, it } from "vitest";
import { findCondition, isTrue, setCondition } from "./conditions.ts";

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second, 500));
const ready = (status: "True" | "False", message = "") =>
  ({ type: "Ready", status, reason: "Because", message }) as const;

it("adds a condition with whole seconds", () => {
  expect(setCondition([], ready("False"), at(1))).toEqual([
    { ...ready("False"), lastTransitionTime: "2026-01-01T00:00:01Z" },
  ]);
});

it("moves the transition time only with the status", () => {
  const first = setCondition([], ready("False"), at(1));
  const second = setCondition(first, ready("False", "still"), at(2));
  expect(findCondition(second, "Ready")).toMatchObject({
    message: "still",
    lastTransitionTime: "2026-01-01T00:00:01Z",
  });
  const third = setCondition(second, ready("True"), at(3));
  expect(findCondition(third, "Ready")?.lastTransitionTime).toBe("2026-01-01T00:00:03Z");
  expect([isTrue(second, "Ready"), isTrue(third, "Ready"), isTrue(third, "Other")]).toEqual([
    false,
    true,
    false,
  ]);
});

it("gives the same array back when nothing changed, and keeps the others and their order", () => {
  const both = setCondition(
    setCondition([], { ...ready("True"), type: "A" }, at(1)),
    ready("True"),
    at(1),
  );
  expect(setCondition(both, ready("True"), at(9))).toBe(both);
  expect(setCondition(both, { ...ready("False"), type: "A" }, at(9)).map((c) => c.type)).toEqual([
    "A",
    "Ready",
  ]);
});
