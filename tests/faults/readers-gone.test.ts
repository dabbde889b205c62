import { readFile } from "node:fs/promises";
import { beforeAll, expect, it } from "vitest";
import {
  command,
  downloadFiles,
  mark,
  startFaultBench,
  type BegunRun,
  type FaultBench,
} from "../support/fault-bench.ts";
import { findProcesses } from "../support/processes.ts";
import { expectRecord, expectWhole } from "../support/run-record.ts";
import { openStalledReader, readAndLeave } from "../support/raw-reader.ts";

let bench: FaultBench;

beforeAll(async () => {
  bench = await startFaultBench();
  await bench.startRunner();
});

async function expectCompleted({ projectId, runId, ...run }: BegunRun): Promise<void> {
  expect((await bench.api.waitForEnd(projectId, runId)).status).toBe("completed");
  const live = await (await bench.api.stream(projectId, runId)).toEnd();
  await expectRecord(bench.api, { projectId, runId }, live);
  const files = await downloadFiles(bench.api, { projectId, runId, ...run });
  expect(files.get("trace.txt")).toBe("a\n");
}

const streamOf = ({ projectId, runId }: BegunRun): string =>
  `/v1/projects/${projectId}/runs/${runId}/stream`;

it("that created a run and left at once changes nothing: the run completes", async () => {
  const run = await bench.begin("left at once", {
    build: [{ text: "one two three", tokenDelayMs: 50, ...mark("a") }, { text: "Done." }],
  });
  run.stream.leave();
  await expectCompleted(run);
});

it("that leave in the middle change nothing for the run, nor for who stays", async () => {
  const words = Array.from({ length: 400 }, (_, i) => `word-${i}`).join(" ");
  const run = await bench.begin("many leave", {
    build: [{ text: words, tokenDelayMs: 5, ...mark("a") }, { text: "Done." }],
  });
  const leaving = Array.from({ length: 60 }, async (_, index) => {
    const stream = await bench.api.stream(run.projectId, run.runId);
    await stream.until(({ id }) => id >= 5 + index);
    stream.leave();
  });
  const staying = await bench.api.stream(run.projectId, run.runId);
  await Promise.all(leaving);
  const [live, frames] = await Promise.all([run.stream.toEnd(), staying.toEnd()]);
  expect(frames).toEqual(live);
  await expectCompleted(run);
});

it("that left a run that says nothing are noticed at the next comment", async ({ annotate }) => {
  const run = await bench.begin("silent", { build: [command("echo here; sleep 600")] });
  await run.stream.until(({ data }) => data["chunk"] === "here\n");
  // What the command printed is the last thing that is said for a long time.
  const here = '"chunk":"here';
  const leaving = Array.from({ length: 5 }, () =>
    readAndLeave(bench.platform, streamOf(run), here),
  );
  await Promise.all(leaving);
  const leftAt = performance.now();
  await expect.poll(clientsThatLeft).toBe(5);
  const following = run.stream.toEnd();
  await expect.poll(clientsThatLeft, { timeout: 40_000 }).toBe(0);
  expect(run.stream.comments).toBeGreaterThanOrEqual(1);
  await annotate(`noticed after ${Math.round(performance.now() - leftAt)} ms`);
  expect((await bench.api.run(run.projectId, run.runId)).status).toBe("running");
  await bench.api.cancel(run.projectId, run.runId);
  expectWhole(await following);
});

/** Connections that the client has closed and the edge has not: in CLOSE_WAIT, as Linux counts them. */
async function clientsThatLeft(): Promise<number> {
  const port = Number(new URL(bench.platform.url).port).toString(16).toUpperCase().padStart(4, "0");
  const table = await readFile("/proc/net/tcp", "utf8");
  return table
    .split("\n")
    .filter((row) => new RegExp(`^ *\\d+: \\w+:${port} \\w+:\\w+ 08`).test(row)).length;
}

const stalledReaders = 80;
const mebi = 1024 * 1024;
/** Sent by the model in words of 8 KiB: more than all buffers on the way to one reader hold. */
const streamedMebi = 12;

const beginFlood = (title: string): Promise<BegunRun> =>
  bench.begin(title, {
    plan: [{ text: ` ${"x".repeat(8_191)}`, repeatText: (streamedMebi * mebi) / 8_192 }],
    build: [mark("a"), { text: "Done." }],
  });

it("that take nothing hold up nobody, and cost the edge little memory", async ({ annotate }) => {
  const before = await edgeMemory();
  const run = await beginFlood("flood");
  const stalled = await Promise.all(
    Array.from({ length: stalledReaders }, () => openStalledReader(bench.platform, streamOf(run))),
  );
  const live = await run.stream.toEnd();
  const grownMebi = Math.round(((await edgeMemory()) - before) / mebi);
  await annotate(`${stalledReaders} stalled readers cost ${grownMebi} MiB`);
  expect(live.at(-1)?.event).toBe("done");
  const text = live.filter(({ event }) => event === "token").map(({ data }) => data["token"]);
  expect(text.join("").length).toBeGreaterThan(streamedMebi * mebi);
  // Each of them waits still, or was cut; what is held for all together is far from what all are owed.
  expect(stalled.every((socket) => socket.bytesRead <= 4096)).toBe(true);
  expect(grownMebi).toBeLessThan((stalledReaders * streamedMebi) / 2);
  const late = await bench.api.stream(run.projectId, run.runId, { lastEventId: 2 });
  expect(await late.toEnd()).toEqual(live.slice(2));
});

/** Resident bytes of the workerd that listens at the platform's port. */
async function edgeMemory(): Promise<number> {
  const { port } = new URL(bench.platform.url);
  const pids = findProcesses(`127.0.0.1:${port}`);
  const all = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/status`, "utf8")));
  const workerds = all.filter((status) => status.startsWith("Name:\tworkerd"));
  expect(workerds).toHaveLength(1);
  return Number(/VmRSS:\s+(\d+)/.exec(workerds[0] ?? "")?.[1]) * 1024;
}
