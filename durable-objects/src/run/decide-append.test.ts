import { describe, expect, it } from "vitest";
import { decideAppend } from "./decide-append.ts";

const position = { epoch: 2, next: 5 };
const append = { attempt: 2, producerSeq: 5, writer: 2, over: false };

describe("decideAppend", () => {
  it.for([
    ["the next frame", append, { kind: "accepted" }],
    ["a frame sent again", { ...append, producerSeq: 4 }, { kind: "duplicate" }],
    [
      "one sent again after the end",
      { ...append, producerSeq: 4, writer: null, over: true },
      { kind: "duplicate" },
    ],
    [
      "one sent again when another attempt is current",
      { ...append, producerSeq: 4, writer: null },
      { kind: "duplicate" },
    ],
    [
      "a gap",
      { ...append, producerSeq: 7 },
      { kind: "refused", code: "out_of_order", expected: 5 },
    ],
    [
      "an older attempt",
      { ...append, attempt: 1, producerSeq: 1 },
      { kind: "refused", code: "fenced" },
    ],
    ["no writer", { ...append, writer: null }, { kind: "refused", code: "fenced" }],
    ["another writer", { ...append, writer: 3 }, { kind: "refused", code: "fenced" }],
    ["a new frame after the end", { ...append, over: true }, { kind: "refused", code: "run_over" }],
  ] as const)("%s", ([, asked, expected]) => {
    expect(decideAppend(position, asked)).toEqual(expected);
  });
});
