import { beforeAll, expect, it } from "vitest";
import { cancelAndFollow, standingOf, timesOf } from "../support/cancelled.ts";
import {
  command,
  downloadFiles,
  mark,
  readHomeFile,
  startFaultBench,
  type BegunRun,
  type FaultBench,
} from "../support/fault-bench.ts";
import { endAtEnd, findProcesses } from "../support/processes.ts";
import { expectRecord, requestsOf } from "../support/run-record.ts";
import { waitUntil } from "../support/wait-until.ts";

let bench: FaultBench;

beforeAll(async () => {
  bench = await startFaultBench();
});

const writing = (name: string) => ({
  build: [
    command(
      `echo here; while :; do echo ${name} >> "$HOME/ticks"; echo x >> ticks.txt; sleep 0.1; done`,
    ),
    mark("never"),
  ],
});

/** The next run of the project gets the workspace. */
async function expectNextCompletes(run: BegunRun): Promise<void> {
  const next = await bench.begin(
    `after ${run.title}`,
    { build: [command("sleep 0.5; echo next > next.txt"), { text: "Done." }] },
    run.projectId,
  );
  const frames = await expectRecord(bench.api, next, await next.stream.toEnd());
  expect(frames.at(-1)?.event).toBe("done");
  expect((await downloadFiles(bench.api, next)).get("next.txt")).toBe("next\n");
}

it("cuts off a runner that was killed: the run ends soon, and without an archive", async ({
  annotate,
}) => {
  const name = `killed-runner-${process.pid}`;
  endAtEnd(name);
  const victim = await bench.startRunner();
  const run = await bench.begin(name, writing(name));
  await run.stream.until(({ data }) => data["chunk"] === "here\n");
  await victim.kill();
  const cancelled = await cancelAndFollow(bench, run, 20_000);
  await annotate(timesOf(cancelled));
  expect(cancelled.data).toMatchObject({ forced: true, stopped: false });
  expect(findProcesses(name)).toEqual([]);
  expect(await standingOf(bench, run)).toMatchObject({ status: 404, code: "not_found" });

  const other = await bench.startRunner({ workspaceRoot: victim.workspaceRoot });
  await expectNextCompletes(run);
  await other.kill();
});

it("cuts off a runner that is stopped, at the deadline; awake again, it writes nothing", async ({
  annotate,
}) => {
  const name = `stopped-runner-${process.pid}`;
  endAtEnd(name);
  const sleeper = await bench.startRunner();
  const run = await bench.begin(name, writing(name));
  await run.stream.until(({ data }) => data["chunk"] === "here\n");
  sleeper.signal("SIGSTOP");
  const cancelled = await cancelAndFollow(bench, run, 42_000);
  await annotate(timesOf(cancelled));
  expect(cancelled.data).toMatchObject({ forced: true, stopped: false });
  expect(await standingOf(bench, run)).toMatchObject({ status: 404, code: "not_found" });

  const asked = requestsOf(bench.model.log(), name).length;
  sleeper.signal("SIGCONT");
  await waitUntil("the command is dead", () => findProcesses(name).length === 0);
  const ticks = await readHomeFile(sleeper, run, "ticks");
  // The same runner takes the next run only when it is done with this one.
  await expectNextCompletes(run);
  expect(await readHomeFile(sleeper, run, "ticks")).toBe(ticks);
  expect(requestsOf(bench.model.log(), name)).toHaveLength(asked);
  await expectRecord(bench.api, run, cancelled.frames);
  expect(await standingOf(bench, run)).toMatchObject({ status: 404 });
});
