import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { releaseAtEnd } from "../support/cleanup.ts";
import {
  command,
  downloadFiles,
  mark,
  readHomeFile,
  startFaultBench,
  type BegunRun,
  type FaultBench,
} from "../support/fault-bench.ts";
import { Follower } from "../support/follower.ts";
import {
  attemptsIn,
  expectNoAnswerTwice,
  expectRecord,
  requestsOf,
} from "../support/run-record.ts";
import type { Runner } from "../support/runner-process.ts";
import type { Frame } from "../support/sse.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

let bench: FaultBench;
let network: TcpProxy;
let runner: Runner;

beforeAll(async () => {
  bench = await startFaultBench();
  network = await TcpProxy.start(bench.platform.url);
  runner = await bench.startRunner({ edgeUrl: network.url });
});

/** One reader that was there from the create on, and one that came later. */
const follow = (run: BegunRun): readonly [Follower, Follower] => [
  new Follower(bench.api, run),
  new Follower(bench.api, { projectId: run.projectId, runId: run.runId }),
];

const textOf = (frames: readonly Frame[], event: string, field: string): string =>
  frames
    .filter((frame) => frame.event === event)
    .map(({ data }) => String(data[field] ?? ""))
    .join("");

const tokens = ({ frames }: Follower): string => textOf(frames, "token", "token");
const output = ({ frames }: Follower): string => textOf(frames, "tool", "chunk");

/** The record of a run that went through it all in its first attempt, the same for all who read it. */
async function expectUndisturbed(
  run: BegunRun,
  followers: readonly Follower[],
  trace: string,
): Promise<void> {
  for (const { end } of followers) {
    const frames = await expectRecord(bench.api, run, await end);
    expect(attemptsIn(frames)).toEqual([1]);
  }
  expect(await bench.api.run(run.projectId, run.runId)).toMatchObject({
    status: "completed",
    meta: { attempt: 1 },
  });
  expect((await downloadFiles(bench.api, run)).get("trace.txt")).toBe(trace);
  expect(await readHomeFile(runner, run, "trace")).toBe(trace);
  expectNoAnswerTwice(requestsOf(bench.model.log(), run.title));
}

describe("an edge that is killed", () => {
  it("while the model streams: nobody misses a word or sees one twice", async () => {
    const story = Array.from({ length: 200 }, (_, i) => `word-${i}`).join(" ");
    const run = await bench.begin("a story", {
      build: [{ text: story, tokenDelayMs: 15, ...mark("told") }, { text: " The end." }],
    });
    const [one, other] = follow(run);
    for (const word of ["word-20", "word-90"]) {
      await one.until(() => tokens(one).includes(word));
      await bench.platform.restart();
    }
    await expectUndisturbed(run, [one, other], "told\n");
    expect(one.breaks).toBeGreaterThanOrEqual(2);
    expect(tokens(one)).toContain(`${story} The end.`);
    const asked = requestsOf(bench.model.log(), run.title).map(({ key }) => key);
    expect(new Set(asked).size).toBe(asked.length);
  });

  it("after it wrote frames whose acks did not arrive, and with others on the way", async () => {
    const lines = Array.from({ length: 400 }, (_, i) => `line-${i}\n`);
    const loop = 'for i in $(seq 0 399); do echo line-$i | tee -a "$HOME/trace"; sleep 0.01; done';
    const run = await bench.begin("lost acks", {
      build: [command(`${loop} | tee trace.txt`), { text: "Done." }],
    });
    const [one, other] = follow(run);
    for (const line of ["line-40\n", "line-160\n"]) {
      await one.until(() => output(one).includes(line));
      // From here on the runner hears nothing, while what it says is written and reaches the readers.
      network.blackhole("answers");
      const seen = one.frames.length;
      await one.until(() => one.frames.length > seen + 5);
      await bench.platform.kill();
      network.dropConnections();
      network.restore();
      await bench.platform.start();
    }
    await expectUndisturbed(run, [one, other], lines.join(""));
    expect(output(one)).toBe(lines.join(""));
  });

  it("again and again, at any moment", async () => {
    const run = await bench.begin("any moment", {
      build: [
        {
          repeat: 12,
          text: "the same words in a row, once more",
          tokenDelayMs: 8,
          ...command('echo step-{i} | tee -a "$HOME/trace" >> trace.txt; seq 50; sleep 0.1'),
        },
        { text: "Done." },
      ],
    });
    const followers = follow(run);
    let isOver = false;
    releaseAtEnd(() => void (isOver = true));
    const killing = async (): Promise<void> => {
      for (let kills = 0; kills < 6 && !isOver; kills += 1) {
        await sleep(Math.random() * 900);
        await bench.platform.restart();
      }
    };
    await killing();
    const trace = Array.from({ length: 12 }, (_, i) => `step-${i}\n`).join("");
    await expectUndisturbed(run, followers, trace);
  });
});
