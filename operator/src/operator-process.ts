import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Logger, makeLogger } from "@millrace/contracts";
import { secretsOfTracing, startTracing, type Tracing } from "@millrace/telemetry";
import { secretsOfProxy, useProxy } from "./edge/proxy.ts";
import { type OperatorEnv, describeEnv, readEnv } from "./env.ts";
import { loadKubeConfig } from "./load-kube-config.ts";
import { makeControllers, version } from "./make-controllers.ts";
import { Operator } from "./operator.ts";
import { uninstall } from "./uninstall/uninstall.ts";

const stderrFd = 2;
const badUsage = 2;

/** The operator as a process: reads its settings, works until a signal, exits. */
export async function main(
  raw: NodeJS.ProcessEnv,
  facts: { readonly wantsHelp: boolean; readonly uninstalls: boolean },
): Promise<void> {
  if (facts.wantsHelp) {
    process.stdout.write(describeEnv());
    return;
  }
  const result = readEnv(raw);
  if (!result.ok) {
    process.stderr.write(`${result.problem}\n\n--help lists the settings\n`);
    process.exit(badUsage);
  }
  const secrets = [...secretsOfTracing(result.env.tracing), ...secretsOfProxy(result.env)];
  const log = makeLogger({ secrets, write: writeStderr });
  exitOnBugs(log);
  useProxy(result.env);
  if (facts.uninstalls) {
    await endEverything(result.env, log);
    return;
  }
  const { tracing: settings, identity: instance } = result.env;
  const tracing = await startTracing(settings, { version, instance, log });
  const operator = await start(result.env, log, tracing).catch((error: unknown) => {
    log.error("the operator cannot start", { error });
    process.exit(1);
  });
  const drain = () => operator.drain().then(() => tracing.stop());
  drainOnSignal(drain, result.env.DRAIN_DEADLINE_MS, log);
  await operator.finished();
}

async function start(
  env: OperatorEnv,
  log: Logger,
  { tracer }: Pick<Tracing, "tracer">,
): Promise<Operator> {
  const config = loadKubeConfig(env.KUBECONFIG);
  const operator = new Operator({ env, config, log, tracer, makeControllers });
  await operator.start();
  return operator;
}

/** Exits by itself: 0 when nothing runs any more or the time is up, 1 when it has to be begun again. */
async function endEverything(env: OperatorEnv, log: Logger): Promise<void> {
  const stop = new AbortController();
  process.once("SIGTERM", () => stop.abort(new Error("SIGTERM")));
  try {
    const config = loadKubeConfig(env.KUBECONFIG);
    await uninstall({ env, config, log, signal: stop.signal });
    process.exit(0);
  } catch (error) {
    log.error("the uninstall did not come to its end; the same again goes on", { error });
    process.exit(1);
  }
}

/** The first signal drains; whoever sends a second one does not want to wait. */
function drainOnSignal(drain: () => Promise<void>, deadlineMs: number, log: Logger): void {
  let draining = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (draining) process.exit(1);
    draining = true;
    log.info("draining", { signal, deadlineMs });
    const late = sleep(deadlineMs).then(() => 1);
    const drained = drain().then(() => 0);
    void Promise.race([drained, late]).then((code) => process.exit(code));
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

/** After an error that nobody expected the state is unknown; the Lease runs out and another replica goes on. */
function exitOnBugs(log: Logger): void {
  const exit = (error: unknown): void => {
    log.error("unhandled error, the operator stops", { error });
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
