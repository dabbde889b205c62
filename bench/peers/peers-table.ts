import { formatRows } from "../format-rows.ts";
import { formatValue } from "../report.ts";
import { peerTitles, type RatioBar } from "./contender.ts";
import type { Comparison } from "./summarise.ts";

const heads = ["figure", "beside", "durable", "bar", "ours", "theirs", "ratio", ""];

/** A Markdown table that is also easy to read in a terminal. Ours is durable in every line. */
export function formatComparisons(comparisons: readonly Comparison[]): string {
  const rows = comparisons.map(({ metric, peer, ours, theirs, ratio, bar, met }) => [
    metric.title,
    peerTitles[peer].title,
    peerTitles[peer].durable ? "yes" : "no",
    formatRatioBar(bar),
    formatValue(ours, metric.unit),
    formatValue(theirs, metric.unit),
    ratio.toFixed(2),
    met === null ? "" : met ? "met" : "**missed**",
  ]);
  return formatRows(heads, rows, 3);
}

function formatRatioBar(bar: RatioBar | null): string {
  if (bar === null) return "";
  return "atMost" in bar ? `<= ${bar.atMost}x` : `>= ${bar.atLeast}x`;
}
