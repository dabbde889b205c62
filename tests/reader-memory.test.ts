import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { startFrameWriter } from "./support/frame-writer.ts";
import { startPlatform, type Platform } from "./support/platform.ts";
import { findProcesses } from "./support/processes.ts";
import { openStalledReader } from "./support/raw-reader.ts";

const mebi = 1024 * 1024;
const stalledReaders = 20;
/** `STALL_EVENTS=5000` is the full measure, for a machine with a minute to spare. */
const events = Number(process.env["STALL_EVENTS"] ?? 800);
const value = "x".repeat(100_000);

interface Flood {
  /** Events that the reader who keeps up got. */
  readonly read: number;
  readonly writtenMebi: number;
  /** How far workerd's memory rose above where it stood before. */
  readonly peakMebi: number;
  /** Bytes that all stalled readers together have taken. */
  readonly taken: number;
}

it("twenty readers that take nothing cost no more memory than what they are granted", async ({
  annotate,
}) => {
  const alone = await flood(0);
  const beside = await flood(stalledReaders);
  await annotate(`alone ${JSON.stringify(alone)}, beside stalled ${JSON.stringify(beside)}`);
  for (const { read } of [alone, beside]) expect(read).toBe(events);
  expect(beside.taken).toBeLessThan(stalledReaders * 8192);
  // What lies at the edge for each is about its credit; what is not sent to each is the whole log.
  const costMebi = beside.peakMebi - alone.peakMebi;
  expect(costMebi).toBeLessThan(stalledReaders * 6);
  expect(costMebi).toBeLessThan((stalledReaders * beside.writtenMebi) / 10);
}, 600_000);

/** A run of large events on a new platform, with one reader that keeps up and some that take nothing. */
async function flood(stalled: number): Promise<Flood> {
  const platform = await startPlatform();
  const projectId = await platform.api.createProject();
  let runId = "";
  const writer = await startFrameWriter(platform, async () => {
    const run = await platform.api.createRun(projectId, { prompt: "flood" });
    runId = run.id;
    return { runId };
  });
  const path = `/v1/projects/${projectId}/runs/${runId}/stream`;
  const reading = countEvents(platform, path);
  const sockets = await Promise.all(
    Array.from({ length: stalled }, () => openStalledReader(platform, path)),
  );
  const before = await memoryOf(platform);
  const memory = watchMemory(platform);
  for (let n = 0; n < events; n += 1) {
    await writer.write([{ type: "custom", data: { name: "n", value } }]);
  }
  await writer.succeed();
  const read = await reading;
  const peakMebi = Math.round(((await memory.peak()) - before) / mebi);
  const taken = sockets.reduce((sum, socket) => sum + socket.bytesRead, 0);
  for (const socket of sockets) socket.destroy();
  await platform.kill();
  const writtenMebi = Math.round((events * value.length) / mebi);
  return { read, writtenMebi, peakMebi, taken };
}

async function countEvents({ url, apiKey }: Platform, path: string): Promise<number> {
  const response = await fetch(`${url}${path}`, { headers: { "x-agent-api-key": apiKey } });
  let count = 0;
  let tail = "";
  for await (const chunk of response.body ?? []) {
    const text = tail + Buffer.from(chunk as Uint8Array).toString("latin1");
    count += text.split('"status":"custom"').length - 1;
    // What is split between two chunks is found in the next, and nothing is found twice.
    tail = text.slice(-('"status":"custom"'.length - 1));
  }
  return count;
}

function watchMemory(platform: Platform): { readonly peak: () => Promise<number> } {
  const over = new AbortController();
  const watching = (async () => {
    let peak = 0;
    while (!over.signal.aborted) {
      peak = Math.max(peak, await memoryOf(platform));
      await sleep(50);
    }
    return peak;
  })();
  return {
    peak: () => {
      over.abort();
      return watching;
    },
  };
}

/** Resident bytes of the workerd that listens at the platform's port. */
async function memoryOf({ url }: Platform): Promise<number> {
  const pids = findProcesses(`127.0.0.1:${new URL(url).port}`);
  const all = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/status`, "utf8")));
  const workerds = all.filter((status) => status.startsWith("Name:\tworkerd"));
  expect(workerds).toHaveLength(1);
  return Number(/VmRSS:\s+(\d+)/.exec(workerds[0] ?? "")?.[1]) * 1024;
}
