import { availableParallelism, cpus, release, totalmem } from "node:os";
import { formatRows } from "./format-rows.ts";
import type { Bar, Metric } from "./figures/figure.ts";
import type { Result } from "./measure.ts";

export interface Report<Entry = Result> {
  readonly date: string;
  readonly machine: string;
  readonly rounds: number;
  readonly results: readonly Entry[];
}

export function makeReport<Entry>(
  results: readonly Entry[],
  rounds: number,
  now: Date,
): Report<Entry> {
  const cpu = cpus()[0]?.model.trim() ?? "unknown CPU";
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const machine = `${availableParallelism()} cores (${cpu}), ${memory}, Linux ${release()}, Node ${process.version}`;
  return { date: now.toISOString().slice(0, 10), machine, rounds, results };
}

const heads = ["figure", "bar", "ours", "bare", "ratio", ""];

/** A Markdown table that is also easy to read in a terminal. */
export function formatTable(report: Report): string {
  const rows = report.results.map((result) => [
    result.metric.title,
    formatBar(result.metric.bar, result.metric.unit),
    formatValue(result.ours, result.metric.unit),
    formatValue(result.bare, result.metric.unit),
    result.ratio === null ? "-" : result.ratio.toFixed(2),
    result.met === null ? "" : result.met ? "met" : "MISSED",
  ]);
  return `${formatCaption(report)}\n\n${formatRows(heads, rows, 1)}`;
}

/** When, on what and how often the figures were taken. */
export function formatCaption({ date, machine, rounds }: Report<unknown>): string {
  return `${date}, ${machine}, medians of ${rounds} rounds`;
}

function formatBar(bar: Bar | undefined, unit: Metric["unit"]): string {
  if (!bar) return "";
  if (bar.kind === "value") return `<= ${bar.atMost} ${unit}`;
  return "atMost" in bar ? `<= ${bar.atMost}x bare` : `>= ${bar.atLeast * 100} % of bare`;
}

export function formatValue(value: number | null, unit: Metric["unit"]): string {
  if (value === null) return "-";
  if (unit === "1/s") return `${Math.round(value).toLocaleString("en-US")}/s`;
  return `${value < 100 ? value.toFixed(2) : Math.round(value)} ms`;
}
