import { median } from "../stats.ts";
import type { ContenderName, PeerMetric, PeerName, RatioBar } from "./contender.ts";

export type Sample = Readonly<Record<string, number>>;

/** One metric of ours beside one peer's. */
export interface Comparison {
  readonly metric: PeerMetric;
  readonly peer: PeerName;
  readonly ours: number;
  readonly theirs: number;
  /** Median of the rounds' own ratios, ours by theirs: both of a round saw the same machine. */
  readonly ratio: number;
  readonly bar: RatioBar | null;
  /** Null: no bar. */
  readonly met: boolean | null;
}

/** A comparison for every metric and every peer that took part. The n-th samples of all are of one round. */
export function summarise(
  metrics: readonly PeerMetric[],
  samples: ReadonlyMap<ContenderName, readonly Sample[]>,
): Comparison[] {
  const valuesOf = (name: ContenderName, key: string): number[] =>
    (samples.get(name) ?? []).map((sample) => sample[key] ?? Number.NaN);
  return metrics.flatMap((metric) => {
    const ours = valuesOf("ours", metric.key);
    const peers = Array.from(samples.keys()).filter((name) => name !== "ours");
    return peers.map((peer) => {
      const theirs = valuesOf(peer, metric.key);
      const ratio = median(ours.map((value, round) => value / (theirs[round] ?? Number.NaN)));
      const bar = metric.bars?.[peer] ?? null;
      const met = bar === null ? null : meets(ratio, bar);
      return { metric, peer, ours: median(ours), theirs: median(theirs), ratio, bar, met };
    });
  });
}

function meets(ratio: number, bar: RatioBar): boolean {
  return "atMost" in bar ? ratio <= bar.atMost : ratio >= bar.atLeast;
}
