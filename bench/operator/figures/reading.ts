import type { OperatorStage } from "../operator-stage.ts";

/** One line of the table. */
export interface Reading {
  readonly title: string;
  readonly value: number;
  readonly unit: "ms" | "1/s" | "KiB" | "MiB" | "";
  readonly atMost?: number;
}

export interface OperatorFigure {
  readonly name: string;
  readonly measure: (stage: OperatorStage, settings: FigureSettings) => Promise<readonly Reading[]>;
}

export interface FigureSettings {
  /** Sessions in the cluster when the operator is restarted. */
  readonly cached: number;
  /** How many of them are running, at least. */
  readonly live: number;
  readonly progress: (line: string) => void;
}
