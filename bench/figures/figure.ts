import type { Side } from "../sides/side.ts";

/** What must hold for a bar to be met. `ratio` is ours by bare. */
export type Bar =
  | { readonly kind: "ratio"; readonly atMost: number }
  | { readonly kind: "ratio"; readonly atLeast: number }
  | { readonly kind: "value"; readonly atMost: number };

export interface Metric {
  readonly key: string;
  readonly title: string;
  readonly unit: "ms" | "1/s";
  readonly bar?: Bar;
}

export type Sample = Readonly<Record<string, number>>;

/** Something that is measured on both sides, in alternating rounds. */
export interface Figure {
  readonly name: string;
  readonly metrics: readonly Metric[];
  /** Prepares one side, outside of the clock. */
  open(side: Side): Promise<Session>;
}

export interface Session {
  /** One round: a value for each metric. */
  measure(): Promise<Sample>;
  close(): Promise<void>;
}
