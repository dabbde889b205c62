import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import {
  expectOneAttempt,
  follow,
  outputOf,
  startEdgeBench,
  tokensOf,
  type EdgeBench,
} from "../support/edge-bench.ts";
import { command, mark } from "../support/fault-bench.ts";
import { requestsOf } from "../support/run-record.ts";

let bench: EdgeBench;

beforeAll(async () => {
  bench = await startEdgeBench();
});

describe("an edge that is killed", () => {
  it("while the model streams: nobody misses a word or sees one twice", async () => {
    const story = Array.from({ length: 160 }, (_, i) => `word-${i}`).join(" ");
    const run = await bench.begin("a story", {
      build: [{ text: story, tokenDelayMs: 15, ...mark("told") }, { text: " The end." }],
    });
    const followers = follow(bench, run);
    const [one] = followers;
    for (const word of ["word-20", "word-90"]) {
      await one.until(() => tokensOf(one).includes(word));
      await bench.platform.restart();
    }
    await expectOneAttempt(bench, run, { followers, trace: "told\n" });
    expect(one.breaks).toBeGreaterThanOrEqual(2);
    expect(tokensOf(one)).toContain(`${story} The end.`);
    const asked = requestsOf(bench.model.log(), run.title).map(({ key }) => key);
    expect(new Set(asked).size).toBe(asked.length);
  });

  it("after it wrote frames whose acks did not arrive, and with others on the way", async () => {
    const lines = Array.from({ length: 300 }, (_, i) => `line-${i}\n`).join("");
    const loop = 'for i in $(seq 0 299); do echo line-$i | tee -a "$HOME/trace"; sleep 0.01; done';
    const run = await bench.begin("lost acks", {
      build: [command(`${loop} | tee trace.txt`), { text: "Done." }],
    });
    const followers = follow(bench, run);
    const [one] = followers;
    for (const line of ["line-40\n", "line-160\n"]) {
      await one.until(() => outputOf(one).includes(line));
      // From here on the runner hears nothing, while what it says is written and reaches the readers.
      bench.network.blackhole("answers");
      const seen = one.frames.length;
      await one.until(() => one.frames.length > seen + 5);
      await bench.platform.kill();
      bench.network.dropConnections();
      bench.network.restore();
      await bench.platform.start();
    }
    await expectOneAttempt(bench, run, { followers, trace: lines });
    expect(outputOf(one)).toBe(lines);
  });

  it("again and again, at any moment", async () => {
    const run = await bench.begin("any moment", {
      build: [
        {
          repeat: 8,
          text: "the same words in a row, once more",
          tokenDelayMs: 8,
          ...command('echo step-{i} | tee -a "$HOME/trace" >> trace.txt; seq 50; sleep 0.1'),
        },
        { text: "Done." },
      ],
    });
    const followers = follow(bench, run);
    for (let kills = 0; kills < 4; kills += 1) {
      await sleep(Math.random() * 900);
      await bench.platform.restart();
    }
    const trace = Array.from({ length: 8 }, (_, i) => `step-${i}\n`).join("");
    await expectOneAttempt(bench, run, { followers, trace });
  });
});
