import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ProcessGroup } from "../../scripts/process-group.ts";
import { checkout } from "../../tests/support/build-paths.ts";
import { startModelServer } from "../../tests/support/model-server/model-server.ts";
import { promptFor } from "../../tests/support/model-server/scenario.ts";
import { readFrames } from "../clients/sse-reader.ts";
import { createProject, createRequest, type Platform } from "./platform.ts";
import type { BenchCreate, Creator } from "./side.ts";

const drainMs = 15_000;
const joinMs = 20_000;
/** The model has nothing to do, so that a run is over soon after its first event. */
const prompt = promptFor({ build: [] }, "Say hello.");

/** Creates that an idle, real runner process executes against a scripted model. */
export async function openRunnerCreator(platform: Platform, directory: string): Promise<Creator> {
  const model = await startModelServer();
  const logFile = join(directory, "runner.log");
  await mkdir(directory, { recursive: true });
  const runner = await ProcessGroup.spawn({
    command: process.execPath,
    args: [join(checkout, "runner-cluster/src/main.ts")],
    cwd: checkout,
    env: {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      EDGE_URL: platform.url.origin,
      POOL_TOKEN: platform.poolToken,
      STATE_DIR: join(directory, "state"),
      WORKSPACE_ROOT: join(directory, "workspaces"),
      OPENAI_BASE_URL: model.url,
      OPENAI_API_KEY: "bench",
    },
    logFile,
  });
  const close = async (): Promise<void> => {
    await runner.stop(drainMs);
    await model.stop();
  };
  try {
    await executesOne(await nextCreate(platform));
  } catch (error) {
    await close();
    throw new Error(`no run was executed:\n${await readFile(logFile, "utf8")}`, { cause: error });
  }
  return { next: () => nextCreate(platform), close };
}

async function nextCreate(platform: Platform): Promise<BenchCreate> {
  const projectId = await createProject(platform);
  return {
    stream: createRequest(platform, projectId, { prompt, stream: true }),
    isFirst: (frame) => frame.includes('"status":"phase_started"'),
    isLast: (frame) => {
      if (frame.includes("\nevent: error\n")) throw new Error(`a run failed: ${frame}`);
      return frame.includes("\nevent: done\n");
    },
  };
}

/** A run that is over tells that the runner has joined. */
async function executesOne({ stream, isLast }: BenchCreate): Promise<void> {
  const patience = AbortSignal.timeout(joinMs);
  const late = new Promise<never>((_resolve, reject) => {
    patience.addEventListener("abort", () => reject(new Error(`not over in ${joinMs} ms`)));
  });
  await Promise.race([readFrames(stream, (_id, frame) => isLast(frame)), late]);
}
