import { availableParallelism, cpus, release, totalmem } from "node:os";
import type { Bar, Metric } from "./figures/figure.ts";
import type { Result } from "./measure.ts";

export interface Report {
  readonly date: string;
  readonly machine: string;
  readonly rounds: number;
  readonly results: readonly Result[];
}

export function makeReport(results: readonly Result[], rounds: number, now: Date): Report {
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
  const widths = heads.map((head, i) =>
    Math.max(...[head, ...rows.map((r) => r[i] ?? "")].map((cell) => cell.length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(" | ")} |`;
  const rule = `| ${widths.map((width, i) => (i === 0 ? "-".repeat(width) : `${"-".repeat(Math.max(0, width - 1))}:`)).join(" | ")} |`;
  const caption = `${report.date}, ${report.machine}, medians of ${report.rounds} rounds`;
  return [caption, "", line(heads), rule, ...rows.map(line)].join("\n");
}

function formatBar(bar: Bar | undefined, unit: Metric["unit"]): string {
  if (!bar) return "";
  if (bar.kind === "value") return `<= ${bar.atMost} ${unit}`;
  return "atMost" in bar ? `<= ${bar.atMost}x bare` : `>= ${bar.atLeast * 100} % of bare`;
}

function formatValue(value: number | null, unit: Metric["unit"]): string {
  if (value === null) return "-";
  if (unit === "1/s") return `${Math.round(value).toLocaleString("en-US")}/s`;
  return `${value < 100 ? value.toFixed(2) : Math.round(value)} ms`;
}
