import { randomUUID } from "node:crypto";
import { readFileSync, writeSync } from "node:fs";
import { drainBefore } from "./drain.ts";
import { describeEnv, readEnv, secretValues, type RunnerEnv } from "./env.ts";
import { makeLogger, type Logger } from "./log.ts";
import { Runner } from "./runner.ts";
import { ServedOrg } from "./served-org.ts";
import { hostSettings, makeExecute } from "./make-execute.ts";
import { prepareHost } from "./workspaces/open-host-workspace.ts";

const stderrFd = 2;
const badUsage = 2;

export interface ProcessFacts {
  readonly wantsHelp: boolean;
  /** Why the settings could not be hidden from other processes; undefined when they are. */
  readonly exposed: string | undefined;
}

/** The runner as a process: reads its settings, works until a signal, exits. */
export async function main(raw: NodeJS.ProcessEnv, facts: ProcessFacts): Promise<void> {
  if (facts.wantsHelp) {
    process.stdout.write(describeEnv());
    return;
  }
  const result = readEnv(raw);
  if (!result.ok) {
    process.stderr.write(`${result.problem}\n\n--help lists the settings\n`);
    process.exit(badUsage);
  }
  const { env } = result;
  const log = makeLogger({ secrets: secretValues(env), write: writeStderr });
  exitOnBugs(log);
  if (facts.exposed) {
    log.warn("secrets stay visible in /proc to the commands of runs", { because: facts.exposed });
  }
  const runner = await makeRunner(env, log).catch((error: unknown) => {
    log.error("the runner cannot start", { error });
    process.exit(1);
  });
  drainOnSignal(runner, env.DRAIN_DEADLINE_MS, log);
  runner.start();
}

async function makeRunner(env: RunnerEnv, log: Logger): Promise<Runner> {
  const runnerId = randomUUID();
  const host = hostSettings(env, runnerId, log);
  await prepareHost(host);
  log.info("runner starts", { runnerId, edge: env.EDGE_URL, slots: env.RUNNER_SLOTS });
  return new Runner({
    runnerId,
    version: readVersion(),
    edgeUrl: env.EDGE_URL,
    pool: env.POOL,
    poolToken: env.POOL_TOKEN,
    slots: env.RUNNER_SLOTS,
    servedOrg: new ServedOrg(env.WORKSPACE_ROOT),
    log,
    execute: makeExecute(env, host),
  });
}

/** The first signal drains; whoever sends a second one does not want to wait. */
function drainOnSignal(runner: Runner, deadlineMs: number, log: Logger): void {
  let draining = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (draining) process.exit(1);
    draining = true;
    log.info("draining", { signal, deadlineMs });
    void drainBefore(runner, deadlineMs, log).then((code) => process.exit(code));
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

/** After an error that nobody expected the state is unknown; the platform gives the runs to another runner. */
function exitOnBugs(log: Logger): void {
  const exit = (error: unknown): void => {
    log.error("unhandled error, the runner stops", { error });
    process.exit(1);
  };
  process.on("uncaughtException", exit);
  process.on("unhandledRejection", exit);
}

/** Synchronous: the line about a crash must be out before the process ends. */
function writeStderr(line: string): void {
  try {
    writeSync(stderrFd, line);
  } catch {
    // Nobody reads the log any more (EPIPE), or cannot keep up (EAGAIN); work goes on without it.
  }
}

function readVersion(): string {
  const file = new URL("../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
