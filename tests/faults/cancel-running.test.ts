import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import {
  cancelAndFollow,
  expectModelLeftAlone,
  standingOf,
  timesOf,
  type Cancelled,
} from "../support/cancelled.ts";
import {
  command,
  downloadFiles,
  mark,
  readHomeFile,
  startFaultBench,
  type BegunRun,
  type FaultBench,
} from "../support/fault-bench.ts";
import type { ScenarioInput } from "../support/model-server/scenario.ts";
import { endAtEnd, findProcesses } from "../support/processes.ts";
import { interruptedIn } from "../support/run-record.ts";
import type { Runner } from "../support/runner-process.ts";
import { nameOf } from "../support/sse.ts";

const silence = { fault: { kind: "silence" as const, afterChunks: 4 } };
const story = Array.from({ length: 2_000 }, (_, i) => `word-${i}`).join(" ");

interface Place {
  readonly scenario: ScenarioInput;
  readonly reached: (run: BegunRun) => Promise<unknown>;
}

const places: Readonly<Record<string, Place>> = {
  "in plan, while the model is silent": {
    scenario: { plan: [{ text: "I think about it", ...silence }], build: [mark("never")] },
    reached: ({ stream }) => stream.untilNamed("token"),
  },
  "in the middle of a model stream": {
    scenario: {
      build: [mark("a"), { text: story, tokenDelayMs: 10, ...mark("never") }, mark("never")],
    },
    reached: ({ stream }) => stream.until(({ data }) => String(data["token"]).includes("word-9")),
  },
  "between the tools of one answer": {
    scenario: {
      build: [
        { toolCalls: [...command("echo here; sleep 1").toolCalls, ...mark("never").toolCalls] },
        mark("never"),
      ],
    },
    reached: ({ stream }) => stream.until(({ data }) => data["chunk"] === "here\n"),
  },
};

/** Everything that a command can do in order to live on: children, a session of its own, deaf to SIGTERM. */
const stubborn = (name: string): string =>
  [
    `trap '' TERM`,
    `setsid sleep 600.${name}1 &`,
    `(setsid bash -c 'while :; do echo tick-600.${name} >> "$HOME/ticks"; sleep 0.05; done' &)`,
    `nohup sleep 600.${name}2 >/dev/null 2>&1 & disown`,
    "echo kept > kept.txt; echo here",
    `sleep 600.${name}3`,
    'echo never >> "$HOME/trace"',
  ].join("\n");

describe.each(["auto", "off"])("a cancel, with RUNNER_ISOLATION=%s", (isolation) => {
  let bench: FaultBench;
  let runner: Runner;

  beforeAll(async () => {
    bench = await startFaultBench();
    runner = await bench.startRunner({ env: { RUNNER_ISOLATION: isolation } });
    await runner.joined();
  });

  /** The run is over, its runner is done with it, and its files can be had. */
  async function expectStopped(run: BegunRun, { frames, data }: Cancelled): Promise<void> {
    expect(data).toMatchObject({ reported: "cancelled" });
    expect(frames.filter((frame) => nameOf(frame) === "running")).toHaveLength(1);
    expect(interruptedIn(frames)).toEqual([]);
    await bench.api.download(run.projectId, run.runId);
    const end = frames.at(-1);
    if (end) expectModelLeftAlone(bench, run, end);
    expect(await readHomeFile(runner, run, "trace")).not.toContain("never");
  }

  it.for(Object.entries(places))("%s", async ([name, { scenario, reached }], { annotate }) => {
    const run = await bench.begin(`${name} ${isolation}`, scenario);
    await reached(run);
    expect(await standingOf(bench, run)).toMatchObject({ status: 409, code: "unavailable" });
    const cancelled = await cancelAndFollow(bench, run);
    await expectStopped(run, cancelled);
    await annotate(timesOf(cancelled));
  });

  it("in the middle of a command that will not die", async ({ annotate }) => {
    const name = `${process.pid}${isolation === "off" ? 0 : 1}`;
    endAtEnd(`600.${name}`);
    const run = await bench.begin(`stubborn ${isolation}`, {
      build: [command(stubborn(name)), mark("never")],
    });
    await run.stream.until(({ data }) => data["chunk"] === "here\n");
    await expect.poll(() => readHomeFile(runner, run, "ticks")).toContain("tick");
    expect(findProcesses(`600.${name}`).length).toBeGreaterThanOrEqual(4);

    const cancelled = await cancelAndFollow(bench, run);
    expect(findProcesses(`600.${name}`)).toEqual([]);
    const ticks = await readHomeFile(runner, run, "ticks");
    await sleep(300);
    expect(await readHomeFile(runner, run, "ticks")).toBe(ticks);
    await expectStopped(run, cancelled);
    expect((await downloadFiles(bench.api, run)).get("kept.txt")).toBe("kept\n");
    await annotate(timesOf(cancelled));
  });
});
