import { randomUUID } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ProcessGroup } from "../../../scripts/process-group.ts";
import { readEvents } from "../../clients/events.ts";
import { createProject, createRequest, type Platform } from "../../sides/platform.ts";
import { startPlatform } from "../../sides/start-ours.ts";
import { emittedEvents, type PreparedRun, type RunService, type Work } from "./run-service.ts";
import type { StreamService } from "./stream-service.ts";

const runner = new URL("./instant-runner.ts", import.meta.url).pathname;

/** One API key's requests are counted; the bench has one key for all its clients. */
const vars = { LIMIT_REQUESTS_PER_SECOND: "1000000" };

/** Our edge with a runner process that executes at once what it is asked for. */
export async function startOurRuns(directory: string): Promise<RunService> {
  await mkdir(directory, { recursive: true });
  const { platform, dispose } = await startPlatform(directory, vars);
  const logFile = join(directory, "runner.log");
  const runners = await ProcessGroup.spawn({
    command: process.execPath,
    args: [runner, platform.url.origin, platform.poolToken],
    cwd: directory,
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"] },
    logFile,
  });
  const openClient = async () => {
    const projectId = await createProject(platform);
    return { next: (work: Work) => prepare(platform, projectId, work) };
  };
  const { stream, isLast } = (await openClient()).next("answer");
  await readEvents(stream, isLast).catch(async (error: unknown) => {
    throw new Error(await readFile(logFile, "utf8"), { cause: error });
  });
  return {
    name: "ours",
    openClient,
    dispose: async () => {
      await runners.stop(0);
      await dispose();
    },
  };
}

/** Our edge as a server of streams. */
export async function startOurStreams(directory: string): Promise<StreamService> {
  await mkdir(directory, { recursive: true });
  const { platform, dispose } = await startPlatform(directory, vars);
  return {
    name: "ours",
    nextUrl: () => new URL(`/v1/stream/bench-${randomUUID()}`, platform.url),
    headers: { authorization: `Bearer ${platform.apiKey}` },
    dispose,
  };
}

function prepare(platform: Platform, projectId: string, work: Work): PreparedRun {
  const last = `"n":${emittedEvents - 1},`;
  return {
    stream: createRequest(platform, projectId, { prompt: work, stream: true }),
    isFirst: (event) => event.includes('"status":"phase_started"'),
    isLast: (event) => {
      if (event.includes("\nevent: error\n")) throw new Error(`a run failed: ${event}`);
      return event.includes("\nevent: done\n") || (work === "emit" && event.includes(last));
    },
    wait: null,
  };
}
