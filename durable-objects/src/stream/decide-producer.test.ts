import { describe, expect, it } from "vitest";
import { decideProducer } from "./decide-producer.ts";

const known = { epoch: 3, last: 7 };

describe("decideProducer", () => {
  it.each([
    { name: "a first append", known: null, epoch: 9, seq: 0, is: { kind: "accepted" } },
    {
      name: "a first append that is not the first",
      known: null,
      epoch: 0,
      seq: 2,
      is: { kind: "gap", expected: 0 },
    },
    { name: "the next", known, epoch: 3, seq: 8, is: { kind: "accepted" } },
    { name: "the last again", known, epoch: 3, seq: 7, is: { kind: "duplicate", last: 7 } },
    { name: "an old one again", known, epoch: 3, seq: 0, is: { kind: "duplicate", last: 7 } },
    { name: "one too far", known, epoch: 3, seq: 9, is: { kind: "gap", expected: 8 } },
    { name: "a zombie", known, epoch: 2, seq: 8, is: { kind: "stale", epoch: 3 } },
    { name: "a new epoch", known, epoch: 4, seq: 0, is: { kind: "accepted" } },
    { name: "a new epoch in the middle", known, epoch: 4, seq: 8, is: { kind: "bad_start" } },
  ] as const)("$name is $is.kind", ({ known: record, epoch, seq, is }) => {
    expect(decideProducer(record, { epoch, seq })).toEqual(is);
  });
});
