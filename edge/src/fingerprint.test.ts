import { expect, it } from "vitest";
import { canonicalJson, fingerprint } from "./fingerprint.ts";

it("does not depend on the order of keys, at any depth", () => {
  const left = { b: [1, { y: null, x: "é" }], a: true };
  const right = { a: true, b: [1, { x: "é", y: null }] };
  expect(canonicalJson(left)).toBe('{"a":true,"b":[1,{"x":"é","y":null}]}');
  expect(canonicalJson(right)).toBe(canonicalJson(left));
});

it("tells apart what is not the same request", async () => {
  const prints = await Promise.all([
    fingerprint("POST", "/a", { text: "x" }),
    fingerprint("POST", "/b", { text: "x" }),
    fingerprint("PUT", "/a", { text: "x" }),
    fingerprint("POST", "/a", { text: "y" }),
    fingerprint("POST", "/a", { text: "x", input: [1, 2] }),
    fingerprint("POST", "/a", { text: "x", input: [2, 1] }),
    fingerprint("POST", "/a", { text: "x", input: "1" }),
    fingerprint("POST", "/a", { text: "x", input: 1 }),
  ]);
  expect(new Set(prints).size).toBe(prints.length);
  expect(prints[0]).toMatch(/^[0-9a-f]{64}$/);
});

it("is the same for the same request", async () => {
  const again = await fingerprint("POST", "/a", { provider: null, text: "x" });
  expect(await fingerprint("POST", "/a", { text: "x", provider: null })).toBe(again);
});
