import { waitUntil } from "../../../tests/support/wait-until.ts";
import { percentile } from "../../stats.ts";
import type { OperatorStage } from "../operator-stage.ts";
import type { Metrics } from "../../../tests/cluster/support/read-metrics.ts";
import type { OperatorFigure } from "./reading.ts";

const warmUps = 5;
const rounds = 30;

/** One session after the other, from create to Completed and cleared away, alone in the cluster. */
export const lives: OperatorFigure = {
  name: "lives",
  async measure(stage, { progress }) {
    await stage.startOperator("1s");
    for (let i = 0; i < warmUps; i += 1) await live(stage, `warm-${i}`);
    const before = await stage.apiMetrics();
    const beforeOperator = await stage.operatorMetrics();
    const starts: number[] = [];
    const runnings: number[] = [];
    for (let i = 0; i < rounds; i += 1) {
      const { toJob, toRunning } = await live(stage, `life-${i}`);
      starts.push(toJob);
      runnings.push(toRunning);
      if (i % 10 === 9) progress(`lives: ${i + 1}/${rounds}`);
    }
    const after = await stage.apiMetrics();
    const afterOperator = await stage.operatorMetrics();
    return [
      {
        title: "created -> Job, one session, p50",
        value: percentile(starts, 0.5),
        unit: "ms",
        atMost: 100,
      },
      { title: "created -> Job, one session, p99", value: percentile(starts, 0.99), unit: "ms" },
      {
        title: "created -> phase Running, pod and runner instant, p50",
        value: percentile(runnings, 0.5),
        unit: "ms",
      },
      {
        title: "status writes of a plain life",
        value: (statusWrites(after) - statusWrites(before)) / rounds,
        unit: "",
        atMost: 8,
      },
      {
        title: "reconciles of a plain life",
        value: (reconciles(afterOperator) - reconciles(beforeOperator)) / rounds,
        unit: "",
      },
    ];
  },
};

const reconciles = (of: Metrics): number => of("millrace_reconcile_duration_seconds_count");

async function live(stage: OperatorStage, name: string) {
  const seen = await stage.create(name);
  await stage.untilAll([name], `${name} is Running`, ({ phase }) => phase === "Running");
  const run = stage.pool.runOf(name);
  if (!run) throw new Error(`${name} has no run`);
  stage.pool.change(run.runId, { status: "succeeded", completedAt: Date.now() });
  await stage.untilAll([name], `${name} is Completed`, ({ phase }) => phase === "Completed");
  await waitUntil(`nothing of ${name} is left`, async () => {
    const { stdout } = await stage.plane.kubectl("get", "secrets,jobs", "-o", "name");
    return !stdout.includes(`/${name}-1`);
  });
  const toJob = (seen.jobAt ?? Number.NaN) - seen.createdAt;
  return { toJob, toRunning: (seen.runningAt ?? Number.NaN) - seen.createdAt };
}

/** Only the operator writes status. */
export const statusWrites = (metrics: Metrics): number =>
  ["APPLY", "PATCH", "PUT"]
    .map((verb) =>
      metrics("apiserver_request_total", {
        verb,
        resource: "agenticsessions",
        subresource: "status",
      }),
    )
    .reduce((sum, one) => sum + one, 0);
