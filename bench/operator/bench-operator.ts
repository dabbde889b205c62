import { ProcessGroup } from "../../scripts/process-group.ts";
import { hasControlPlane } from "../../tests/cluster/support/binaries.ts";
import { formatRows } from "../format-rows.ts";
import { makeReport } from "../report.ts";
import { bursts } from "./figures/bursts.ts";
import { lives } from "./figures/lives.ts";
import type { OperatorFigure, Reading } from "./figures/reading.ts";
import { restart } from "./figures/restart.ts";
import { measureStarts } from "./figures/starts.ts";
import { OperatorStage } from "./operator-stage.ts";
import { type OperatorOptions, operatorUsage, readOperatorOptions } from "./operator-options.ts";

const figures = [lives, bursts, restart];
/** On a real node, which only root can make: measured when it is asked for. */
const starts = "starts";
const stopSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const stoppedExitCode = 130;
const progress = (line: string): void => console.error(line);

/** `npm run bench -- operator`: the operator on a real API server. */
export async function benchOperator(argv: readonly string[]): Promise<void> {
  const names = [...figures.map(({ name }) => name), starts];
  const options = readOperatorOptions(argv, names);
  if (options.help) return console.log(operatorUsage);
  if (!hasControlPlane) throw new Error("run tests/cluster/binaries/build.sh control-plane first");
  // A process group does not hear the terminal's Ctrl-C.
  process.once("exit", () => void ProcessGroup.killAll());
  for (const name of stopSignals) process.once(name, () => process.exit(stoppedExitCode));
  const readings = await measureAll(options);
  const report = makeReport(readings, 1, new Date());
  const table = `${report.date}, ${report.machine}\n\n${formatReadings(readings)}`;
  console.log(options.json ? JSON.stringify(report, null, 2) : table);
  if (options.strict && readings.some(isMissed)) process.exitCode = 1;
}

async function measureAll(options: OperatorOptions): Promise<readonly Reading[]> {
  const { only } = options;
  const onStage = figures.filter(({ name }) => only.length === 0 || only.includes(name));
  const readings = onStage.length > 0 ? await measureOnStage(onStage, options) : [];
  return only.includes(starts) ? [...readings, ...(await measureStarts(progress))] : readings;
}

async function measureOnStage(
  wanted: readonly OperatorFigure[],
  { cached, live }: OperatorOptions,
): Promise<readonly Reading[]> {
  const stage = await OperatorStage.start();
  try {
    const readings: Reading[] = [];
    for (const figure of wanted) {
      progress(`${figure.name}: begins`);
      const found = await figure.measure(stage, { cached, live, progress });
      for (const reading of found) progress(`${figure.name}: ${reading.title}: ${format(reading)}`);
      readings.push(...found);
    }
    return readings;
  } finally {
    await stage.dispose();
  }
}

const isMissed = ({ value, atMost }: Reading): boolean => atMost !== undefined && value > atMost;

function formatReadings(readings: readonly Reading[]): string {
  const rows = readings.map((reading) => [
    reading.title,
    reading.atMost === undefined ? "" : `<= ${format({ ...reading, value: reading.atMost })}`,
    format(reading),
    reading.atMost === undefined ? "" : isMissed(reading) ? "MISSED" : "met",
  ]);
  return formatRows(["figure", "bar", "value", ""], rows, 1);
}

function format({ value, unit }: Reading): string {
  const digits = value < 100 ? 1 : 0;
  const number = value.toLocaleString("en-US", { maximumFractionDigits: digits });
  if (unit === "1/s") return `${number}/s`;
  return unit === "" ? number : `${number} ${unit}`;
}
