import { createHash } from "node:crypto";
import { globSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { RunnerEvent } from "@millrace/contracts";
import { beforeAll, describe, expect, it } from "vitest";
import { addOrg } from "./support/add-org.ts";
import { startFrameWriter } from "./support/frame-writer.ts";
import { startPlatform, type Platform } from "./support/platform.ts";
import { isArchived } from "./support/read-registry.ts";

let platform: Platform;
let projectId: string;
let runId: string;
let live: string;
let finished: ReadonlyMap<string, string>;
let tail: number;

const slowly = { timeout: 60_000, interval: 200 } as const;
const sse = (after: number) => `/v1/projects/${projectId}/runs/${runId}/stream?after=${after}`;
const json = (after: number) => `/v1/streams/runs/${runId}?offset=${offsetOf(after)}`;
const jsonSse = (after: number) => `${json(after)}&live=sse`;
const snapshotPath = () => `/v1/projects/${projectId}/runs/${runId}/snapshot`;

/** As the platform writes an offset, taken from an answer of its own. */
let offsetOf: (after: number) => string;

/** Texts of every kind and length, so that the log takes more than one object and its rows end anywhere. */
function eventsOf(n: number): readonly RunnerEvent[] {
  const messageId = `message-${n}`;
  const written = n % 50 === 0 ? `größer 🦫 ${"x".repeat(90_000)}` : `wörd ${n}\n`;
  return [
    { type: "text.started", data: { messageId, phase: "build" } },
    { type: "text.delta", data: { messageId, text: written } },
    { type: "text.finished", data: { messageId } },
  ];
}

async function text(path: string): Promise<string> {
  const response = await platform.api.fetch("GET", path);
  const body = await response.text();
  if (response.status !== 200) throw new Error(`${path}: ${response.status} ${body.slice(0, 300)}`);
  if (path.endsWith("live=sse")) return itemsOf(body);
  return body.replaceAll(": keep-alive\n\n", "");
}

/** How many messages share an event of the stream depends on who reads how fast; what they are does not. */
function itemsOf(body: string): string {
  const lines = body.split("\n").filter((line) => line.startsWith("data:["));
  return lines.map((line) => line.slice("data:[".length, -1)).join(",");
}

/** A failure shows the path and the size, not megabytes. */
const digest = (body: string): string =>
  `${body.length} ${createHash("sha256").update(body).digest("hex")}`;

/** What every reader gets, at cursors all over the log. */
async function readings(): Promise<ReadonlyMap<string, string>> {
  const steps = Array.from({ length: 12 }, (_, n) => Math.floor((tail * n) / 12));
  const cursors = [...new Set([0, 1, 2, 3, ...steps, tail - 2, tail - 1, tail, tail + 7])];
  const read = new Map<string, string>();
  for (const cursor of cursors) {
    const paths = cursor > tail ? [sse(cursor)] : [sse(cursor), json(cursor), jsonSse(cursor)];
    for (const path of paths) read.set(path, digest(await text(path)));
  }
  return read;
}

beforeAll(async () => {
  platform = await startPlatform({
    vars: { ARCHIVE_AFTER_MS: "20000", LOG_RETENTION_DAYS: "0", LIMIT_REQUESTS_PER_SECOND: "1000" },
  });
  projectId = await platform.api.createProject();
  let following: Promise<string> | undefined;
  const writer = await startFrameWriter(platform, async () => {
    const run = await platform.api.createRun(projectId, { prompt: "write a long log" });
    runId = run.id;
    following = text(sse(0));
    return { runId };
  });
  for (let n = 1; n <= 5_000; n += 1) await writer.write(eventsOf(n));
  await writer.succeed();
  live = (await following) ?? "";
  tail = Number.parseInt(live.slice(live.lastIndexOf("\nid: ") + 5), 10);
  const page = await platform.api.request("HEAD", `/v1/streams/runs/${runId}`);
  const last = page.headers.get("stream-next-offset") ?? "";
  const width = last.length - last.indexOf("_") - 1;
  const head = last.slice(0, last.indexOf("_") + 1);
  offsetOf = (after) => head + String(after).padStart(width, "0");
});

describe("a run's log is the same wherever it lies", () => {
  it("reads as it was followed once it is finished", async () => {
    expect(tail).toBeGreaterThan(15_000);
    const head = await platform.api.request("HEAD", json(0));
    expect(head.headers.get("stream-next-offset")).toBe(offsetOf(tail));
    finished = await readings();
    expect(finished.get(sse(0))).toBe(digest(live));
  });

  it("and as it was once it lies in R2, while its object is not there", async () => {
    const snapshot = await platform.api.request("GET", snapshotPath());
    expect(snapshot.status).toBe(200);
    await expect.poll(() => isArchived(platform, runId), slowly).toBe(true);
    await platform.kill();
    // Whoever asks the object now finds that there is no such run.
    const objects = globSync(join(platform.stateDirectory, "**/*RunObject*"));
    expect(objects.length).toBeGreaterThan(0);
    for (const directory of objects) rmSync(directory, { recursive: true });
    await platform.start();
    expect(await readings()).toEqual(finished);
    const later = await platform.api.request("GET", snapshotPath());
    expect(dataOf(later.body)).toEqual(dataOf(snapshot.body));
  });

  it("and for nobody else", async () => {
    const stranger = await addOrg(platform, "stranger");
    expect((await stranger.request("GET", json(0))).status).toBe(404);
    const theirs = await stranger.createProject(projectId);
    for (const path of [sse(0), snapshotPath()]) {
      expect((await stranger.request("GET", path)).status).toBe(404);
    }
    expect(theirs).toBe(projectId);
    const other = await platform.api.createProject();
    const elsewhere = `/v1/projects/${other}/runs/${runId}/stream`;
    expect((await platform.api.request("GET", elsewhere)).status).toBe(404);
  });

  it("until it is pruned: then whoever lacks events is sent to the snapshot, and nobody else notices", async () => {
    const before = dataOf((await platform.api.request("GET", snapshotPath())).body);
    const cron = await fetch(`${platform.url}/cdn-cgi/local/scheduled`);
    expect(cron.status).toBe(200);
    for (const path of [sse(0), sse(tail - 1), json(0), json(tail - 1), jsonSse(5)]) {
      const gone = await platform.api.request("GET", path);
      expect(gone.status).toBe(410);
      expect(gone.body).toMatchObject({
        code: "gone",
        error: { details: { earliest: tail + 1, snapshot: snapshotPath() } },
      });
    }
    const after = await platform.api.request("GET", snapshotPath());
    expect(dataOf(after.body)).toEqual(before);
    const { at, state } = dataOf(after.body) as { at: number; state: { status: string } };
    expect([at, state.status]).toEqual([tail, "completed"]);
    for (const path of [sse(at), json(at), jsonSse(at)]) {
      expect(digest(await text(path))).toBe(finished.get(path));
    }
  });
});

const dataOf = (body: unknown): unknown => (body as { readonly data: unknown }).data;
