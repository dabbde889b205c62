import { describe, it } from "vitest";
import type { Contender, Contest } from "./contender.ts";
import { holdContest } from "./hold-contest.ts";
import { formatComparisons } from "./peers-table.ts";

interface Answering extends Contender {
  readonly values: readonly number[];
}

function makeService(name: Contender["name"], values: readonly number[]): Answering {
  return { name, values, dispose: async () => undefined };
}

/** Each contender answers its own values, one a round; `turns` learns who was measured when. */
function makeContest(turns: string[]): Contest<Answering> {
  return {
    name: "any",
    metrics: [
      { key: "time", title: "a time", unit: "ms", bars: { "streams-memory": { atMost: 3 } } },
      { key: "rate", title: "a rate", unit: "1/s", bars: { "streams-file": { atLeast: 4 } } },
    ],
    open: async ({ name, values }) => {
      const left = [...values];
      return {
        measure: async () => {
          turns.push(name);
          const value = left.shift() ?? Number.NaN;
          return { time: value, rate: value };
        },
        close: async () => undefined,
      };
    },
  };
}

const services = [
  makeService("ours", [6, 60, 2]),
  makeService("streams-memory", [2, 30, 1]),
  makeService("streams-file", [2, 10, 4]),
];

describe("holdContest", () => {
  it("lets another contender begin each round", async ({ expect }) => {
    const turns: string[] = [];
    await holdContest(makeContest(turns), services, 2, () => undefined);
    const first = ["ours", "streams-memory", "streams-file"];
    const second = ["streams-memory", "streams-file", "ours"];
    expect(turns).toEqual([...first, ...second]);
  });

  it("compares within a round, and judges by the median of the rounds' ratios", async ({
    expect,
  }) => {
    const comparisons = await holdContest(makeContest([]), services, 3, () => undefined);
    expect(comparisons).toMatchObject([
      { peer: "streams-memory", ours: 6, theirs: 2, ratio: 2, bar: { atMost: 3 }, met: true },
      { peer: "streams-file", ratio: 3, bar: null, met: null },
      { peer: "streams-memory", ratio: 2, bar: null, met: null },
      { peer: "streams-file", ours: 6, theirs: 4, ratio: 3, bar: { atLeast: 4 }, met: false },
    ]);
  });

  it("prints who is durable, and what was missed", async ({ expect }) => {
    const comparisons = await holdContest(makeContest([]), services, 3, () => undefined);
    expect(formatComparisons(comparisons).split("\n")).toEqual([
      "| figure | beside            | durable |   bar |    ours |  theirs | ratio |            |",
      "| ------ | ----------------- | ------- | ----: | ------: | ------: | ----: | ---------: |",
      "| a time | reference, memory | no      | <= 3x | 6.00 ms | 2.00 ms |  2.00 |        met |",
      "| a time | reference, files  | yes     |       | 6.00 ms | 4.00 ms |  3.00 |            |",
      "| a rate | reference, memory | no      |       |     6/s |     2/s |  2.00 |            |",
      "| a rate | reference, files  | yes     | >= 4x |     6/s |     4/s |  3.00 | **missed** |",
    ]);
  });
});
