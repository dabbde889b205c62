import { randomUUID } from "node:crypto";
import { readFileSync, writeSync } from "node:fs";
import type { Opening } from "@millrace/contracts";
import { startTracing, type Tracing } from "@millrace/telemetry";
import { useProxy } from "./edge/proxy.ts";
import { drainBefore, type Drainable } from "./drain.ts";
import { describeEnv, readEnv, secretValues, type RunnerEnv } from "./env.ts";
import { makeLogger, type Logger } from "./log.ts";
import type { Execute } from "./attempt/work-on.ts";
import { Runner } from "./runner.ts";
import { SessionRunner } from "./session-runner.ts";
import type { StartMode } from "./start-mode.ts";
import { ServedOrg } from "./served-org.ts";
import { opening } from "./engine/opening.ts";
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
  useProxy(env);
  if (facts.exposed) {
    log.warn("secrets stay visible in /proc to the commands of runs", { because: facts.exposed });
  }
  const parts = await makeParts(env, log).catch((error: unknown) => {
    log.error("the runner cannot start", { error });
    process.exit(1);
  });
  if (env.start.kind === "session") return runSession(env, parts, env.start);
  startRunner(env, parts, env.start);
}

/** What a runner of any kind is made of. */
interface Parts {
  readonly runnerId: string;
  readonly edgeUrl: string;
  readonly servedOrg: ServedOrg;
  readonly log: Logger;
  readonly execute: Execute;
  readonly opening: Opening;
  /** Loads while the first claim is on its way. */
  readonly tracing: Promise<Tracing>;
}

async function makeParts(env: RunnerEnv, log: Logger): Promise<Parts> {
  const runnerId = randomUUID();
  const host = hostSettings(env, runnerId, log);
  await prepareHost(host);
  const { EDGE_URL: edgeUrl, RUNNER_SLOTS: slots } = env;
  log.info("runner starts", { runnerId, edge: edgeUrl, mode: env.start.kind, slots });
  const servedOrg = new ServedOrg(env.WORKSPACE_ROOT);
  const tracing = startTracing(env.tracing, { version: readVersion(), instance: runnerId, log });
  const execute = makeExecute(env, host, tracing);
  return { runnerId, edgeUrl, servedOrg, log, execute, opening, tracing };
}

function startRunner(
  env: RunnerEnv,
  parts: Parts,
  start: Exclude<StartMode, { readonly kind: "session" }>,
): void {
  const onSpent = (): void => void runner.drain().then(() => leave(parts, 0));
  const warm = start.kind === "warm" ? { podName: start.podName, onSpent } : undefined;
  const runner = new Runner({
    ...parts,
    version: readVersion(),
    pool: env.POOL,
    poolToken: start.token,
    slots: warm ? 1 : env.RUNNER_SLOTS,
    ...(warm && { warm }),
  });
  drainOnSignal(runner, env.DRAIN_DEADLINE_MS, parts);
  runner.start();
}

async function runSession(
  env: RunnerEnv,
  parts: Parts,
  start: Extract<StartMode, { readonly kind: "session" }>,
): Promise<void> {
  const runner = new SessionRunner({ ...parts, ...start, edgeWaitMs: env.EDGE_WAIT_MS });
  drainOnSignal(runner, env.DRAIN_DEADLINE_MS, parts);
  await leave(parts, await runner.run());
}

/** The first signal drains; whoever sends a second one does not want to wait. */
function drainOnSignal(runner: Drainable, deadlineMs: number, parts: Parts): void {
  const { log } = parts;
  let draining = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (draining) process.exit(1);
    draining = true;
    log.info("draining", { signal, deadlineMs });
    void drainBefore(runner, deadlineMs, log).then((code) => leave(parts, code));
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

async function leave({ tracing }: Parts, code: number): Promise<never> {
  await (await tracing).stop();
  process.exit(code);
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
