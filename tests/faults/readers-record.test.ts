import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import {
  command,
  startFaultBench,
  type BegunRun,
  type FaultBench,
} from "../support/fault-bench.ts";
import { expectRecord } from "../support/run-record.ts";
import type { Frame } from "../support/sse.ts";

let bench: FaultBench;

beforeAll(async () => {
  bench = await startFaultBench();
  await bench.startRunner();
});

const story = Array.from({ length: 250 }, (_, i) => `word-${i}`).join(" ");
const pathOf = ({ projectId, runId }: BegunRun): string =>
  `/v1/projects/${projectId}/runs/${runId}/stream`;

const textOf = (frames: readonly Frame[]): string =>
  frames.map(({ data }) => (typeof data["token"] === "string" ? data["token"] : "")).join("");
const idsOf = (frames: readonly Frame[]): readonly number[] => frames.map(({ id }) => id);

it("a hundred readers that come at any moment have the same record", async () => {
  const run = await bench.begin("a hundred readers", {
    build: [
      { text: story, tokenDelayMs: 8, ...command("seq 200 | while read n; do echo $n; done") },
      { text: story, tokenDelayMs: 4 },
    ],
  });
  const readers = Array.from({ length: 100 }, async (_, index) => {
    await sleep(Math.random() * 4_000);
    // Every other one says that it has seen the start already.
    const after = index % 2 === 0 ? 0 : Math.floor(Math.random() * 40);
    const stream = await bench.api.stream(run.projectId, run.runId, { lastEventId: after });
    return { after, frames: await stream.toEnd() };
  });
  const live = await run.stream.toEnd();
  const record = await expectRecord(bench.api, run, live);
  // How many words share an event depends on the load, so the words count, not the events.
  expect(textOf(record)).toContain(story);
  for (const { after, frames } of await Promise.all(readers))
    expect(frames).toEqual(record.slice(after));
});

describe("a reader that resumes", () => {
  it("at any event of a live run or a finished one gets what follows, and that only", async () => {
    const run = await bench.begin("resumed anywhere", {
      build: [command("sleep 3; echo slept"), { text: "Done. That is all." }],
    });
    const started = await run.stream.until(({ data }) => data["phase"] === "start");
    const whileLive = Array.from({ length: started.id + 1 }, async (_, k) => {
      const [one, other] = await Promise.all([
        bench.api.stream(run.projectId, run.runId, { lastEventId: k }),
        bench.api.stream(run.projectId, run.runId, { after: k }),
      ]);
      return Promise.all([one.toEnd(), other.toEnd()]);
    });
    const ahead = await bench.api.stream(run.projectId, run.runId, { after: started.id + 2 });
    const farAhead = await bench.api.stream(run.projectId, run.runId, { after: 1_000_000 });
    const record = await expectRecord(bench.api, run, await run.stream.toEnd());
    for (const [k, streams] of (await Promise.all(whileLive)).entries())
      for (const frames of streams) expect(frames).toEqual(record.slice(k));
    expect(idsOf(await ahead.toEnd())).toEqual(idsOf(record.slice(started.id + 2)));
    expect(await farAhead.toEnd()).toEqual([]);

    for (let k = 0; k <= record.length + 2; k += 1)
      for (const resume of [{ lastEventId: k }, { after: k }]) {
        const stream = await bench.api.stream(run.projectId, run.runId, resume);
        expect(await stream.toEnd()).toEqual(record.slice(k));
      }
  });

  it("is told when what it saw last makes no sense, and its header wins over its query", async () => {
    const run = await bench.begin("nonsense", { build: [{ text: "Done." }] });
    const record = await run.stream.toEnd();
    for (const nonsense of ["x", "-1", "1.5", "1e3", "0x10"]) {
      const headers = { "last-event-id": nonsense };
      expect((await bench.api.request("GET", pathOf(run), { headers })).status).toBe(400);
      const query = `${pathOf(run)}?after=${nonsense}`;
      expect((await bench.api.request("GET", query)).status).toBe(400);
    }
    const both = await bench.api.stream(run.projectId, run.runId, { lastEventId: 3, after: 1 });
    expect(await both.toEnd()).toEqual(record.slice(3));
  });
});
