import { beforeAll, expect, it } from "vitest";
import { cancelAndFollow, expectModelLeftAlone, standingOf } from "../support/cancelled.ts";
import {
  command,
  downloadFiles,
  mark,
  startFaultBench,
  type FaultBench,
} from "../support/fault-bench.ts";
import { unzip } from "../support/zip.ts";
import { expectRecord } from "../support/run-record.ts";
import { nameOf } from "../support/sse.ts";

let bench: FaultBench;

beforeAll(async () => {
  bench = await startFaultBench();
  const runner = await bench.startRunner();
  await runner.joined();
});

/** From the last answer of the model to the end: where a success is already on its way. */
const moments = [
  "token",
  "phase_completed",
  "git_commit",
  "workspace_snapshot_stored",
  "workspace_snapshot_stored",
  "workspace_snapshot_stored",
];

it("that meets a success ends the run as it answered, and nobody hears otherwise", async ({
  annotate,
}) => {
  const ends: string[] = [];
  for (const [index, moment] of [...moments, ...moments].entries()) {
    const run = await bench.begin(`race ${index}`, { build: [mark("a"), { text: "Done." }] });
    if (moment === "token" || moment === "phase_completed")
      await run.stream.untilNamed("phase_transition");
    await run.stream.untilNamed(moment);
    const answer = await bench.api.cancel(run.projectId, run.runId);
    const frames = await expectRecord(bench.api, run, await run.stream.toEnd());
    const view = await bench.api.run(run.projectId, run.runId);
    const last = frames.map(nameOf).at(-1);
    expect([last, view.status]).toEqual(
      answer.cancelled ? ["cancelled", "cancelled"] : ["done", "completed"],
    );
    expect(frames.map(nameOf).includes("run.cancelling")).toBe(answer.cancelled);
    const again = await bench.api.cancel(run.projectId, run.runId);
    expect(again.cancelled).toBe(answer.cancelled);
    expect((await downloadFiles(bench.api, run)).get("trace.txt")).toBe("a\n");
    ends.push(`${moment}: ${last} ${JSON.stringify(frames.at(-1)?.data["reported"])}`);
  }
  await annotate(ends.join(", "));
});

it("lets the next run in only when the archive of the cancelled one is made", async () => {
  const run = await bench.begin("large workspace", {
    build: [
      command(
        "head -c 12000000 /dev/urandom > large.bin; echo first > file.txt; echo here; sleep 600",
      ),
      mark("never"),
    ],
  });
  await run.stream.until(({ data }) => data["chunk"] === "here\n");
  const next = await bench.begin(
    "overwrites it",
    { build: [command("echo second > file.txt; rm large.bin"), { text: "Done." }] },
    run.projectId,
  );
  const cancelled = await cancelAndFollow(bench, run);
  const standing = await standingOf(bench, run);
  expect(standing).toMatchObject({ status: 409, code: "unavailable" });
  expect(standing.retryAfter).toBeGreaterThan(0);

  const done = await expectRecord(bench.api, next, await next.stream.toEnd());
  expect(done.at(-1)?.event).toBe("done");
  expect((await standingOf(bench, run)).status).toBe(200);
  const files = await unzip(await bench.api.download(run.projectId, run.runId));
  expect(String(files.get("file.txt"))).toBe("first\n");
  expect(files.get("large.bin")?.length).toBe(12_000_000);
  expect((await downloadFiles(bench.api, next)).get("file.txt")).toBe("second\n");
  const end = cancelled.frames.at(-1);
  if (end) expectModelLeftAlone(bench, run, end);
});
