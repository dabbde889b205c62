import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { waitUntil } from "../../../tests/support/wait-until.ts";
import { inTurns } from "../in-turns.ts";
import type { OperatorStage } from "../operator-stage.ts";
import type { Metrics } from "../../../tests/cluster/support/read-metrics.ts";
import { statusWrites } from "./lives.ts";
import type { OperatorFigure } from "./reading.ts";

const creators = 16;
const calmMs = 2000;
const longMs = 600_000;
const count = "millrace_reconcile_duration_seconds_count";

/** A new operator in a cluster that is full of sessions: those of the figures before it, and more that are over. */
export const restart: OperatorFigure = {
  name: "restart",
  async measure(stage, { cached, live, progress }) {
    const operator = await stage.startOperator("1h");
    const model = await modelSession(stage);
    progress(`restart: starting ${live} sessions`);
    const running = await startSessions(stage, live);
    await calm(stage);
    await operator.stop();
    const missing = Math.max(0, cached - (await sessions(stage)));
    progress(`restart: creating ${missing} sessions that are over`);
    const names = Array.from({ length: missing }, (_, i) => `over-${i}`);
    await inTurns(names, creators, (name) => stage.createOver(name, model));
    const before = await stage.apiMetrics();
    const readsBefore = stage.pool.requests;
    const all = await sessions(stage);
    progress(`restart: ${all} sessions`);
    const looksBefore = new Map(stage.pool.looks);
    const isSeen = (runId: string): boolean =>
      (stage.pool.looks.get(runId) ?? 0) > (looksBefore.get(runId) ?? 0);
    const began = performance.now();
    const again = await stage.startOperator("1h");
    await waitUntil("caches are filled", async () => (await again.probe("/readyz")) !== undefined);
    const syncedMs = performance.now() - began;
    await waitUntil("those that run were asked about", () => running.every(isSeen), longMs);
    const liveMs = performance.now() - began;
    const done = await untilReconciled(stage, all);
    const reconciledMs = done.at - began;
    await calm(stage);
    const after = await stage.apiMetrics();
    const settledAt = await stage.operatorMetrics();
    const size = `${all.toLocaleString("en-US")} sessions`;
    return [
      { title: `process start -> caches filled, ${size}`, value: syncedMs, unit: "ms" },
      { title: `process start -> ${live} running ones looked at`, value: liveMs, unit: "ms" },
      { title: `process start -> all reconciled, ${size}`, value: reconciledMs, unit: "ms" },
      {
        title: "reconciles per second after the restart",
        value: done.reconciles / ((reconciledMs - syncedMs) / 1000),
        unit: "1/s",
      },
      {
        title: "reconciles per session after the restart",
        value: settledAt(count) / all,
        unit: "",
      },
      {
        title: "status writes after the restart",
        value: statusWrites(after) - statusWrites(before),
        unit: "",
      },
      {
        title: `requests to the edge after the restart, with ${live} running`,
        value: stage.pool.requests - readsBefore,
        unit: "",
      },
      {
        title: `resident memory with ${size}`,
        value: settledAt("process_resident_memory_bytes") / 2 ** 20,
        unit: "MiB",
      },
      {
        title: "memory per cached session",
        value: (settledAt("process_resident_memory_bytes") - stage.emptyBytes) / all / 1024,
        unit: "KiB",
      },
    ];
  },
};

/** Returns their runs. */
async function startSessions(stage: OperatorStage, live: number): Promise<readonly string[]> {
  const names = Array.from({ length: live }, (_, i) => `live-${i}`);
  await inTurns(names, creators, (name) => stage.create(name));
  await stage.untilAll(names, "all are Running", ({ phase }) => phase === "Running");
  return names.flatMap((name) => stage.pool.runOf(name)?.runId ?? []);
}

async function modelSession(stage: OperatorStage) {
  const name = `model-${Date.now()}`;
  await stage.create(name);
  await stage.untilAll([name], `${name} is Running`, ({ phase }) => phase === "Running");
  const run = stage.pool.runOf(name);
  if (!run) throw new Error(`${name} has no run`);
  stage.pool.change(run.runId, { status: "succeeded", completedAt: Date.now() });
  await stage.plane.kubectl("delete", "pods", "-l", `millrace.dev/session=${name}`, "--wait=false");
  await stage.untilAll([name], `${name} is Completed`, ({ phase }) => phase === "Completed");
  return stage.read(name);
}

async function sessions(stage: OperatorStage): Promise<number> {
  const { stdout } = await stage.plane.kubectl("get", "agenticsessions", "-o", "name");
  return stdout.split("\n").filter(Boolean).length;
}

const waiting = (metrics: Metrics): number => metrics("millrace_queue_depth");

/** Every key was taken once, and none waits. */
async function untilReconciled(stage: OperatorStage, all: number) {
  const deadline = performance.now() + longMs;
  while (performance.now() < deadline) {
    const metrics = await stage.operatorMetrics();
    const reconciles = metrics(count);
    if (reconciles >= all && waiting(metrics) === 0) return { at: performance.now(), reconciles };
    await sleep(100);
  }
  throw new Error("not all sessions were reconciled");
}

/** Until no reconcile happens any more. */
async function calm(stage: OperatorStage): Promise<void> {
  let last = -1;
  await waitUntil(
    "the operator is at rest",
    async () => {
      const now = (await stage.operatorMetrics())(count);
      const isCalm = now === last;
      last = now;
      if (!isCalm) await sleep(calmMs);
      return isCalm;
    },
    longMs,
  );
}
