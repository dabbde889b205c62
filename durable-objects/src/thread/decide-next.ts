/** A run that is not over. */
export interface OpenRun {
  readonly runId: string;
  readonly releasedAt: number | null;
  readonly heardAt: number;
}

/** A predecessor that says nothing for this long is asked. */
export const silenceMs = 60_000;

export type NextDecision =
  | { readonly kind: "idle" }
  /** Its predecessors are over and it has not been told. */
  | { readonly kind: "release"; readonly runId: string }
  /** It executes and somebody waits behind it: ask it at `at` unless it speaks before. */
  | { readonly kind: "ask"; readonly runId: string; readonly at: number };

/** Runs of a thread execute one after another. `open` holds the earliest runs that are not over, in order. */
export function decideNext(open: readonly OpenRun[]): NextDecision {
  const [first, second] = open;
  if (!first) return { kind: "idle" };
  if (first.releasedAt === null) return { kind: "release", runId: first.runId };
  if (!second) return { kind: "idle" };
  return { kind: "ask", runId: first.runId, at: first.heardAt + silenceMs };
}
