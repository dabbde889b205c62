import { expect, it } from "vitest";
import { WholeCharacters } from "./whole-characters.ts";

const text = "a é € 😀 z\u0000ÿ";
const bytes = new TextEncoder().encode(text);

it("gives the same text however it is cut, and knows when it waits", () => {
  for (let size = 1; size <= bytes.byteLength; size += 1) {
    const characters = new WholeCharacters();
    let got = "";
    for (let at = 0; at < bytes.byteLength; at += size) {
      got += characters.take([bytes.slice(at, at + size)], false);
      expect(text.startsWith(got)).toBe(true);
      const given = new TextEncoder().encode(got).byteLength;
      const taken = Math.min(at + size, bytes.byteLength);
      expect(characters.isWhole).toBe(given === taken);
    }
    expect(got).toBe(text);
  }
});

it("hides nothing at the end, nor of what is no UTF-8", () => {
  const half = new WholeCharacters();
  expect(half.take([Uint8Array.of(0x61, 0xf0, 0x9f)], false)).toBe("a");
  expect(half.isWhole).toBe(false);
  expect(half.take([], true)).toBe("\uFFFD");
  expect(half.isWhole).toBe(true);
  const broken = new WholeCharacters();
  expect(broken.take([Uint8Array.of(0x80, 0x80, 0x80, 0x80)], false)).toBe("\uFFFD".repeat(4));
  expect(broken.take([Uint8Array.of(0xff, 0x61)], false)).toBe("\uFFFDa");
  expect(broken.isWhole).toBe(true);
});
