import type { Bar, Figure, Metric, Sample, Session } from "./figures/figure.ts";
import type { Side, SideName } from "./sides/side.ts";
import { median } from "./stats.ts";

export interface Result {
  readonly figure: string;
  readonly metric: Metric;
  readonly ours: number | null;
  readonly bare: number | null;
  /** Median of the rounds' own ratios: both sides of a round saw the same machine. */
  readonly ratio: number | null;
  /** Null: no bar, or not measured. */
  readonly met: boolean | null;
}

type Rounds = Readonly<Record<SideName, Sample[]>>;

/** Measures a figure on all sides, in rounds whose first side alternates. */
export async function measureFigure(
  figure: Figure,
  sides: readonly Side[],
  rounds: number,
  progress: (line: string) => void,
): Promise<Result[]> {
  const samples: Rounds = { ours: [], bare: [] };
  const sessions: { readonly side: Side; readonly session: Session }[] = [];
  for (const side of sides) {
    progress(`${figure.name}: preparing ${side.name}`);
    sessions.push({ side, session: await figure.open(side) });
  }
  for (let round = 1; round <= rounds; round += 1) {
    const order = round % 2 === 0 ? sessions.toReversed() : sessions;
    for (const { side, session } of order) {
      const sample = await session.measure();
      samples[side.name].push(sample);
      progress(`${figure.name}: round ${round}/${rounds}, ${side.name} ${describe(sample)}`);
    }
  }
  for (const { session } of sessions) await session.close();
  return figure.metrics.map((metric) => summarise(figure.name, metric, samples));
}

function summarise(figure: string, metric: Metric, samples: Rounds): Result {
  const ours = samples.ours.map((sample) => sample[metric.key] ?? Number.NaN);
  const bare = samples.bare.map((sample) => sample[metric.key] ?? Number.NaN);
  const ratios = ours
    .slice(0, bare.length)
    .map((value, round) => value / (bare[round] ?? Number.NaN));
  const summary = { ours: medianOf(ours), bare: medianOf(bare), ratio: medianOf(ratios) };
  return { figure, metric, ...summary, met: judge(metric.bar, summary) };
}

function medianOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : median(values);
}

function judge(
  bar: Bar | undefined,
  summary: { readonly ours: number | null; readonly ratio: number | null },
): boolean | null {
  if (!bar) return null;
  const value = bar.kind === "value" ? summary.ours : summary.ratio;
  if (value === null) return null;
  return "atMost" in bar ? value <= bar.atMost : value >= bar.atLeast;
}

function describe(sample: Sample): string {
  return Object.entries(sample)
    .map(([key, value]) => `${key} ${value.toPrecision(4)}`)
    .join(" ");
}
