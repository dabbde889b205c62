import { expect, it } from "vitest";
import { byteRange } from "./byte-range.ts";

it.each([
  ["bytes=0-4", { offset: 0, length: 5 }],
  ["bytes=5-", { offset: 5, length: 5 }],
  ["bytes=-3", { offset: 7, length: 3 }],
  ["bytes=-30", { offset: 0, length: 10 }],
  ["bytes=8-99", { offset: 8, length: 2 }],
  ["bytes=9-9", { offset: 9, length: 1 }],
  [undefined, undefined],
  ["", undefined],
  ["bytes=", undefined],
  ["bytes=-", undefined],
  ["bytes=-0", undefined],
  ["bytes=10-", undefined],
  ["bytes=4-2", undefined],
  ["bytes=0-1,3-4", undefined],
  ["items=0-1", undefined],
])("%s of ten bytes", (header, expected) => {
  expect(byteRange(header, 10)).toEqual(expected);
});

it("of nothing is nothing", () => {
  expect(byteRange("bytes=0-", 0)).toBeUndefined();
  expect(byteRange("bytes=-1", 0)).toBeUndefined();
});
