import type { RunRefusal } from "@millrace/contracts";

/** How far a producer has come: its epoch is its attempt, `next` the producerSeq that it must send now. */
export interface ProducerPosition {
  readonly epoch: number;
  readonly next: number;
}

/** Who may write now; null when nobody may. */
export interface Append {
  readonly attempt: number;
  readonly producerSeq: number;
  readonly writer: number | null;
  readonly over: boolean;
}

export type AppendDecision =
  | { readonly kind: "accepted" }
  | { readonly kind: "duplicate" }
  | { readonly kind: "refused"; readonly code: RunRefusal; readonly expected?: number };

const accepted: AppendDecision = { kind: "accepted" };
const duplicate: AppendDecision = { kind: "duplicate" };

/**
 * Judges a frame by its number. What was committed before is success, even when the run has ended or the
 * attempt is dead since: its ack was lost.
 */
export function decideAppend(position: ProducerPosition, append: Append): AppendDecision {
  if (append.attempt === position.epoch && append.producerSeq < position.next) return duplicate;
  if (append.over) return { kind: "refused", code: "run_over" };
  if (append.attempt !== append.writer || append.attempt !== position.epoch) {
    return { kind: "refused", code: "fenced" };
  }
  if (append.producerSeq > position.next) {
    return { kind: "refused", code: "out_of_order", expected: position.next };
  }
  return accepted;
}
