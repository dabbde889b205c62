/** `npm start`: edge, runner and, without a provider key, a local model; until Ctrl-C. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { providerKeyVariables } from "@millrace/contracts";
import { knobsHelp } from "./knobs-help.ts";
import { startLocalEdge, wranglerFailed, type LocalEdge } from "./local-edge.ts";
import { startLocalModel } from "./local-model.ts";
import { LocalRunner } from "./local-runner.ts";
import { step, tail } from "./progress.ts";
import { runUntilStopped, type Running } from "./run-until-stopped.ts";
import { loadEnvFile, readSettings, StartRefused, type Settings } from "./settings.ts";
import { StateDir, type Secrets } from "./state-dir.ts";
import { welcome } from "./welcome.ts";

const edgeStopMs = 5_000;
const joinTimeoutMs = 30_000;
/** Ctrl-C should not take the half minute that a runner in a cluster is given. */
const drainDeadlineMs = "8000";

let state: StateDir | null = null;

async function start(signal: AbortSignal): Promise<Running> {
  loadEnvFile();
  const settings = readSettings(process.env);
  state = StateDir.open(settings);
  console.log(`Millrace, state in ${state.path}, workspaces in ${settings.workspaceRoot}`);
  const secrets = state.secrets(settings);
  const model = await reachModel(state, signal);
  const edge = await startLocalEdge(settings, state, secrets, signal);
  const runner = await startRunner({ settings, state, secrets, edge, model }, signal);
  console.log(welcome({ url: edge.url, apiKey: secrets.apiKey, isLocalModel: model !== null }));
  return {
    failed: edge.group.exited.then(() => wranglerFailed("the edge ended", edge.logFile)),
    stop: async () => {
      // The edge last: the runner has runs to hand back.
      await runner.stop();
      await edge.group.stop(edgeStopMs);
    },
  };
}

/** Null: the user's environment names a provider and holds its key. */
async function reachModel(
  opened: StateDir,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>> | null> {
  const keyVariables = Object.values(providerKeyVariables).flat();
  if (keyVariables.some((name) => process.env[name]?.trim())) return null;
  const logFile = opened.newLog("model");
  return step("starting a local model (no provider key is set)", () =>
    startLocalModel(logFile, signal),
  );
}

interface RunnerSurroundings {
  readonly settings: Settings;
  readonly state: StateDir;
  readonly secrets: Secrets;
  readonly edge: LocalEdge;
  readonly model: Readonly<Record<string, string>> | null;
}

async function startRunner(around: RunnerSurroundings, signal: AbortSignal): Promise<LocalRunner> {
  const logFile = around.state.newLog("runner");
  const { AGENT_API_KEY: _, ...given } = process.env;
  const runner = new LocalRunner({
    env: {
      DRAIN_DEADLINE_MS: drainDeadlineMs,
      ...given,
      ...around.model,
      EDGE_URL: around.edge.url,
      POOL_TOKEN: around.secrets.poolToken,
      STATE_DIR: around.state.runner,
      WORKSPACE_ROOT: around.settings.workspaceRoot,
    },
    logFile,
    onRestart: (message) => console.error(message),
  });
  try {
    await step("starting a runner", () => hasJoined(runner, logFile, signal));
    return runner;
  } catch (error) {
    // It would be replaced for ever, and keep this process alive that has already said what is wrong.
    await runner.stop();
    throw error;
  }
}

async function hasJoined(runner: LocalRunner, logFile: string, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + joinTimeoutMs;
  while (!readFileSync(logFile, "utf8").includes('"joined the pool"')) {
    signal.throwIfAborted();
    if (runner.failures > 0 || Date.now() > deadline)
      throw new StartRefused(
        `the runner does not start; the end of ${logFile}:\n${tail(readFileSync(logFile, "utf8"))}`,
      );
    await sleep(50);
  }
}

if (process.argv.includes("--help")) console.log(knobsHelp("npm start"));
else await runUntilStopped(start).finally(() => state?.release());
