import { globSync } from "node:fs";
import { join } from "node:path";
import type { RunnerEvent } from "@millrace/contracts";
import { expect, it } from "vitest";
import { startFrameWriter } from "../support/frame-writer.ts";
import { startPlatform } from "../support/platform.ts";
import { isArchived } from "../support/read-registry.ts";
import { waitUntil } from "../support/wait-until.ts";

const slowly = { timeout: 90_000, interval: 100 } as const;

/** 20 KB each, so that two thousand of them take several objects. */
const delta = (n: number): RunnerEvent => ({
  type: "text.delta",
  data: { messageId: "m", text: `${n} ${"x".repeat(20_000)}` },
});

it("a log whose edge is killed while it moves to R2 moves in the end, whole, and is read all the time", async () => {
  const platform = await startPlatform({ vars: { ARCHIVE_AFTER_MS: "4000" } });
  const projectId = await platform.api.createProject();
  let runId = "";
  const writer = await startFrameWriter(platform, async () => {
    const run = await platform.api.createRun(projectId, { prompt: "write" });
    runId = run.id;
    return { runId };
  });
  for (let n = 1; n <= 2_000; n += 1) await writer.write([delta(n)]);
  const path = () => `/v1/projects/${projectId}/runs/${runId}/stream`;
  const read = async (): Promise<string> => {
    const response = await platform.api.fetch("GET", path());
    return (await response.text()).replaceAll(": keep-alive\n\n", "");
  };
  const following = read();
  await writer.succeed();
  const live = await following;
  // A file of its own for each object that is written: the kill comes as soon as there is one more, and one more.
  const written = () => globSync(join(platform.stateDirectory, "r2/**/blobs/*")).length;
  for (const objects of [1, 2, 3]) {
    const until = written() + objects;
    const isMoved = () => isArchived(platform, runId);
    await waitUntil("objects are written", () => written() >= until || isMoved());
    await platform.restart();
    expect((await read()) === live).toBe(true);
  }
  await expect.poll(() => isArchived(platform, runId), slowly).toBe(true);
  expect((await read()) === live).toBe(true);
  await platform.restart();
  expect((await read()) === live).toBe(true);
});
