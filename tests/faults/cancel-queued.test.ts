import { beforeAll, expect, it } from "vitest";
import {
  cancelAndFollow,
  expectCancelledForEver,
  standingOf,
  timesOf,
} from "../support/cancelled.ts";
import {
  command,
  downloadFiles,
  mark,
  startFaultBench,
  type FaultBench,
} from "../support/fault-bench.ts";
import { expectRecord, requestsOf } from "../support/run-record.ts";
import { nameOf } from "../support/sse.ts";

let bench: FaultBench;

beforeAll(async () => {
  bench = await startFaultBench();
});

const quick = { build: [mark("quick"), { text: "Done." }] };
/** Runs until it is cancelled. */
const endless = { build: [command("echo first > first.txt; echo here; sleep 600"), mark("never")] };

it("ends a run that no runner has taken, and the next run of its project starts", async ({
  annotate,
}) => {
  const run = await bench.begin("nobody comes", quick);
  const cancelled = await cancelAndFollow(bench, run);
  await annotate(timesOf(cancelled));
  expect(cancelled.frames.map(nameOf)).toEqual(["queued", "run.cancelling", "cancelled"]);
  expect(await standingOf(bench, run)).toMatchObject({ status: 404, code: "not_found" });

  await bench.startRunner();
  const next = await bench.begin("after nobody came", quick, run.projectId);
  const frames = await expectRecord(bench.api, next, await next.stream.toEnd());
  expect(frames.at(-1)?.event).toBe("done");
  expect(requestsOf(bench.model.log(), run.title)).toEqual([]);
});

it("ends runs that wait behind another, and leaves the others alone", async ({ annotate }) => {
  const runner = await bench.startRunner();
  const running = await bench.begin("in front", endless);
  await running.stream.until(({ data }) => data["chunk"] === "here\n");
  const superseded = await bench.begin("superseded while queued", quick, running.projectId);
  const last = await bench.begin("last in line", quick, running.projectId);

  const waiting = await cancelAndFollow(bench, superseded);
  await annotate(timesOf(waiting));
  expect(waiting.frames.map(nameOf)).toEqual(["queued", "run.cancelling", "cancelled"]);
  expect((await bench.api.run(running.projectId, running.runId)).status).toBe("running");
  expect((await bench.api.run(last.projectId, last.runId)).status).toBe("queued");

  // The one in front is read-only since others came, and can be cancelled all the same.
  const answer = await bench.api.cancel(running.projectId, running.runId);
  expect(answer).toMatchObject({ status: "running", cancelled: true, writable: false });
  const front = await expectRecord(bench.api, running, await running.stream.toEnd());
  expect(front.map(nameOf).at(-1)).toBe("cancelled");

  const done = await expectRecord(bench.api, last, await last.stream.toEnd());
  expect(done.at(-1)?.event).toBe("done");
  expect((await downloadFiles(bench.api, last)).get("first.txt")).toBe("first\n");
  expect(requestsOf(bench.model.log(), superseded.title)).toEqual([]);
  for (const run of [running, superseded]) await expectCancelledForEver(bench, run);
  await runner.stop();
});

it("does not change what is over: completed and failed stay so", async () => {
  await bench.startRunner();
  const completed = await bench.begin("completed", quick);
  const refused = { kind: "status" as const, status: 400, message: "no" };
  const failed = await bench.begin("failed", { plan: [{ fault: refused }] });
  for (const [run, status] of [
    [completed, "completed"],
    [failed, "error"],
  ] as const) {
    const live = await run.stream.toEnd();
    const answer = await bench.api.cancel(run.projectId, run.runId);
    expect(answer).toMatchObject({ id: run.runId, status, cancelled: false });
    await expectRecord(bench.api, run, live);
    expect((await bench.api.run(run.projectId, run.runId)).status).toBe(status);
  }
});
