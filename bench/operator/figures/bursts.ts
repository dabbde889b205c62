import { performance } from "node:perf_hooks";
import { percentile } from "../../stats.ts";
import { inTurns } from "../in-turns.ts";
import type { OperatorStage } from "../operator-stage.ts";
import type { Metrics } from "../../../tests/cluster/support/read-metrics.ts";
import { statusWrites } from "./lives.ts";
import type { FigureSettings, OperatorFigure, Reading } from "./reading.ts";

const sizes = [100, 1000];
/** So many creates are on their way at a time. */
const creators = 16;

/** Many sessions created as fast as the API server takes them, each until its runner is connected. */
export const bursts: OperatorFigure = {
  name: "bursts",
  async measure(stage, settings) {
    await stage.startOperator("1h");
    const readings: Reading[] = [];
    for (const size of sizes) readings.push(...(await burst(stage, size, settings)));
    return readings;
  },
};

const requests = (of: Metrics): number => of("millrace_api_requests_total");
const cpuMs = (of: Metrics): number => of("process_cpu_seconds_total") * 1000;

async function burst(
  stage: OperatorStage,
  size: number,
  { progress }: FigureSettings,
): Promise<readonly Reading[]> {
  const names = Array.from({ length: size }, (_, i) => `burst-${size}-${i}`);
  const [before, beforeOperator] = [await stage.apiMetrics(), await stage.operatorMetrics()];
  const began = performance.now();
  await inTurns(names, creators, (name) => stage.create(name));
  const createdMs = performance.now() - began;
  progress(`bursts: ${size} created in ${Math.round(createdMs)} ms`);
  await stage.untilAll(names, "all are Running", ({ phase }) => phase === "Running");
  const elapsed = (performance.now() - began) / 1000;
  const [after, afterOperator] = [await stage.apiMetrics(), await stage.operatorMetrics()];
  const seen = names.flatMap((name) => stage.seen.get(name) ?? []);
  const toJob = seen.map(({ createdAt, jobAt = Number.NaN }) => jobAt - createdAt);
  const count = "millrace_reconcile_duration_seconds_count";
  const reconciles = afterOperator(count) - beforeOperator(count);
  const lastJob = Math.max(...seen.map(({ jobAt = Number.NaN }) => jobAt)) - began;
  const at = `${size.toLocaleString("en-US")} sessions at once`;
  return [
    { title: `created -> Job, ${at}, p50`, value: percentile(toJob, 0.5), unit: "ms" },
    { title: `created -> Job, ${at}, p99`, value: percentile(toJob, 0.99), unit: "ms" },
    { title: `Jobs per second, ${at}`, value: size / (lastJob / 1000), unit: "1/s" },
    { title: `reconciles per second, ${at}`, value: reconciles / elapsed, unit: "1/s" },
    {
      title: `status writes until Running, ${at}`,
      value: (statusWrites(after) - statusWrites(before)) / size,
      unit: "",
    },
    {
      title: `the operator's requests to the API server per session, ${at}`,
      value: (requests(afterOperator) - requests(beforeOperator)) / size,
      unit: "",
    },
    {
      title: `CPU of the operator per session, ${at}`,
      value: (cpuMs(afterOperator) - cpuMs(beforeOperator)) / size,
      unit: "ms",
    },
    {
      title: `CPU of the API server per session, ${at}`,
      value: (cpuMs(after) - cpuMs(before)) / size,
      unit: "ms",
    },
  ];
}
