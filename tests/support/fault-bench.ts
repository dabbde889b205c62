import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { onTestFinished, TestRunner } from "vitest";
import type { Api } from "./api.ts";
import { releaseAtEnd } from "./cleanup.ts";
import { startModelServer, type ModelServer } from "./model-server/model-server.ts";
import { promptFor, type ScenarioInput } from "./model-server/scenario.ts";
import { startPlatform, type Platform, type PlatformOptions } from "./platform.ts";
import { startRunner, type Runner, type RunnerOptions } from "./runner-process.ts";
import type { Frame, FrameStream } from "./sse.ts";
import { unzip } from "./zip.ts";

/** An edge, a model and the runs that a fault is done to. Runners come and go in the tests. */
export interface FaultBench {
  readonly platform: Platform;
  readonly model: ModelServer;
  readonly api: Api;
  startRunner(options?: Partial<RunnerOptions>): Promise<Runner>;
  /** Creates a run in a project of its own (or the given one) and follows it from its first frame. */
  begin(title: string, scenario: ScenarioInput, projectId?: string): Promise<BegunRun>;
}

export interface BegunRun {
  readonly title: string;
  readonly projectId: string;
  readonly runId: string;
  readonly stream: FrameStream;
}

export async function startFaultBench(options: PlatformOptions = {}): Promise<FaultBench> {
  const platform = await startPlatform(options);
  const model = await startModelServer();
  releaseAtEnd(() => model.stop());
  const { api } = platform;
  return {
    platform,
    model,
    api,
    startRunner: async ({ env, ...rest } = {}) => {
      const runner = await startRunner({
        edgeUrl: platform.url,
        poolToken: platform.poolToken,
        env: {
          OPENAI_API_KEY: "sk-test-of-nobody",
          OPENAI_BASE_URL: model.url,
          OPENAI_MODEL: "gpt-5",
          ...env,
        },
        ...rest,
      });
      tellIfFailed(`runner ${runner.pid}`, async () => (await runner.log()).trim().split("\n"));
      return runner;
    },
    begin: async (title, scenario, given) => {
      const projectId = given ?? (await api.createProject());
      const begun = await api.streamRun(projectId, { prompt: promptFor(scenario, title) });
      tellIfFailed(`run ${begun.runId}, ${title}`, () => begun.stream.seen.map(shorten));
      return { title, projectId, ...begun };
    },
  };
}

const shorten = ({ id, data }: Frame): string => `${id} ${JSON.stringify(data).slice(0, 160)}`;

/** A fault that a test does not survive is found in what all sides saw of it. */
function tellIfFailed(
  title: string,
  lines: () => readonly string[] | Promise<readonly string[]>,
): void {
  if (!TestRunner.getCurrentTest()) return;
  // `onTestFailed` would come too late: the logs are gone by then.
  onTestFinished(async ({ task }) => {
    if (task.result?.state !== "fail") return;
    process.stderr.write(`--- ${title}\n${(await lines()).slice(-25).join("\n")}\n`);
  });
}

/** A turn that runs one command. */
export const command = (line: string) => ({
  toolCalls: [{ name: "run_command", arguments: { command: line } }],
});

/**
 * A turn whose command leaves a line in two places: in the workspace, which a later attempt restores to its checkpoint,
 * and in the home of the project's commands, which nobody restores: there each execution shows.
 */
export const mark = (line: string) => command(`echo ${line} | tee -a "$HOME/trace" >> trace.txt`);

/** A file in the home of a project's commands. Empty when it is not there. */
export function readHomeFile(
  { workspaceRoot }: Runner,
  { projectId }: Pick<BegunRun, "projectId">,
  name: string,
): Promise<string> {
  const file = join(workspaceRoot, ".millrace/home", projectId, name);
  return readFile(file, "utf8").catch(() => "");
}

/** Path → text of the files that a user downloads of the run. */
export async function downloadFiles(
  api: Api,
  { projectId, runId }: BegunRun,
): Promise<ReadonlyMap<string, string>> {
  const files = await unzip(await api.download(projectId, runId));
  return new Map([...files].map(([path, bytes]) => [path, bytes.toString()]));
}

/** A command that shows when it is there, and goes on when the test says so, with `letGo`. */
export const holdAt = (place: string) =>
  command(`echo at ${place}; until [ -e "$HOME/${place}" ]; do sleep 0.1; done`);

export async function untilHeldAt(place: string, { stream }: BegunRun): Promise<void> {
  await stream.until(({ data }) => data["chunk"] === `at ${place}\n`);
}

export function letGo(
  place: string,
  { projectId }: BegunRun,
  { workspaceRoot }: Runner,
): Promise<void> {
  return writeFile(join(workspaceRoot, ".millrace/home", projectId, place), "");
}

/** Disk and state that a next runner is to share with this one. */
export const placesOf = ({ workspaceRoot, stateDir }: Runner) => ({ workspaceRoot, stateDir });
