import { decideProducer, type ProducerDecision, type ProducerRecord } from "./decide-producer.ts";
import { mediaTypeOf, type ProducerTry, type StreamState } from "./state.ts";
import type { AppendRequest } from "./stream-rpc.ts";

export type AppendDecision =
  | { readonly kind: "accepted" }
  /** It was done before; `last` is the producer's highest seq, null without a producer. */
  | { readonly kind: "known"; readonly last: number | null }
  | { readonly kind: "closed" }
  | { readonly kind: "content_type" }
  | { readonly kind: "stream_seq" }
  /** It would take more room than the stream may have. */
  | { readonly kind: "full" }
  | Exclude<ProducerDecision, { readonly kind: "accepted" | "duplicate" }>;

/**
 * May this append or close happen? The order is the protocol's: a closed stream, then the content type, then the producer,
 * then the application's own order, and last what there is room for: a repeat needs none. A zombie producer hears of its epoch even when the stream is closed.
 */
export function decideAppend(
  state: StreamState,
  producer: ProducerRecord | null,
  request: Omit<AppendRequest, "lines"> & { readonly isEmpty: boolean; readonly fits: boolean },
): AppendDecision {
  if (state.closed) return decideOnClosed(state, producer, request);
  if (!request.isEmpty && mediaTypeOf(request.contentType) !== mediaTypeOf(state.contentType)) {
    return { kind: "content_type" };
  }
  if (request.producer !== null) {
    const decision = decideProducer(producer, request.producer);
    if (decision.kind === "duplicate") return { kind: "known", last: decision.last };
    if (decision.kind !== "accepted") return decision;
  }
  if (isOutOfOrder(state, request)) return { kind: "stream_seq" };
  return { kind: request.fits ? "accepted" : "full" };
}

function isOutOfOrder(
  { streamSeq: last }: StreamState,
  { streamSeq: next }: Pick<AppendRequest, "streamSeq">,
): boolean {
  return next !== null && last !== null && next <= last;
}

function decideOnClosed(
  { closedBy }: StreamState,
  known: ProducerRecord | null,
  { producer, close, isEmpty }: Pick<AppendRequest, "producer" | "close"> & { isEmpty: boolean },
): AppendDecision {
  if (producer === null) {
    return close && isEmpty ? { kind: "known", last: null } : { kind: "closed" };
  }
  if (closedBy !== null && isSame(closedBy, producer)) return { kind: "known", last: producer.seq };
  const decision = decideProducer(known, producer);
  return decision.kind === "stale" ? decision : { kind: "closed" };
}

function isSame(one: ProducerTry, other: ProducerTry): boolean {
  return one.id === other.id && one.epoch === other.epoch && one.seq === other.seq;
}
