import type { Api } from "./api.ts";
import { releaseAtEnd } from "./cleanup.ts";
import { startModelServer, type ModelServer } from "./model-server/model-server.ts";
import { promptFor, type ScenarioInput } from "./model-server/scenario.ts";
import { startPlatform, type Platform, type PlatformOptions } from "./platform.ts";
import { startRunner, type Runner } from "./runner-process.ts";
import { Follower, type RunPlace } from "./run-record.ts";
import { TcpProxy } from "./tcp-proxy.ts";

export interface SceneOptions extends PlatformOptions {
  readonly runnerEnv?: Readonly<Record<string, string>>;
}

/** Edge, model and one runner, with a network between runner and edge that can fail. */
export interface Scene {
  readonly platform: Platform;
  readonly api: Api;
  readonly model: ModelServer;
  readonly network: TcpProxy;
  readonly runner: Runner;
}

export async function startScene(options: SceneOptions = {}): Promise<Scene> {
  const platform = await startPlatform(options);
  const model = await startModelServer();
  releaseAtEnd(() => model.stop());
  const network = await TcpProxy.start(platform.url);
  const runner = await startRunner({
    edgeUrl: network.url,
    poolToken: platform.poolToken,
    env: {
      OPENAI_API_KEY: "sk-test-of-nobody",
      OPENAI_BASE_URL: model.url,
      OPENAI_MODEL: "gpt-5",
      ...options.runnerEnv,
    },
  });
  return { platform, api: platform.api, model, network, runner };
}

/** Starts a run of this scenario in a project, a new one when none is named. */
export async function startRun(
  api: Api,
  scenario: ScenarioInput,
  project?: string,
): Promise<RunPlace> {
  const projectId = project ?? (await api.createProject());
  // The title makes the transcript this run's own: the model's log tells repeated calls by it.
  const title = `scripted run ${crypto.randomUUID()}`;
  const { id } = await api.createRun(projectId, { prompt: promptFor(scenario, title) });
  return { api, project: projectId, runId: id };
}

/** Starts a run and two who follow it. */
export async function startFollowedRun(
  api: Api,
  scenario: ScenarioInput,
): Promise<{ readonly place: RunPlace; readonly one: Follower; readonly other: Follower }> {
  const place = await startRun(api, scenario);
  return { place, one: new Follower(place), other: new Follower(place) };
}

/** A scripted call of `run_command`. */
export const command = (text: string) => ({ name: "run_command", arguments: { command: text } });
