import type { ProducerTry } from "./state.ts";

/** What is known of a producer; null for one that never wrote. */
export interface ProducerRecord {
  readonly epoch: number;
  /** The highest seq that was accepted in this epoch. */
  readonly last: number;
}

export type ProducerDecision =
  | { readonly kind: "accepted" }
  | { readonly kind: "duplicate"; readonly last: number }
  | { readonly kind: "stale"; readonly epoch: number }
  | { readonly kind: "gap"; readonly expected: number }
  /** A new epoch starts at 0. */
  | { readonly kind: "bad_start" };

/** Judges an append by its producer's numbers: zombies are fenced by epoch, repeats found by seq. */
export function decideProducer(
  known: ProducerRecord | null,
  { epoch, seq }: Pick<ProducerTry, "epoch" | "seq">,
): ProducerDecision {
  if (known === null) return seq === 0 ? { kind: "accepted" } : { kind: "gap", expected: 0 };
  if (epoch < known.epoch) return { kind: "stale", epoch: known.epoch };
  if (epoch > known.epoch) return { kind: seq === 0 ? "accepted" : "bad_start" };
  if (seq <= known.last) return { kind: "duplicate", last: known.last };
  return seq === known.last + 1 ? { kind: "accepted" } : { kind: "gap", expected: known.last + 1 };
}
