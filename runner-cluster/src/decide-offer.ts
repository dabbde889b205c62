import type { Offer, RunnerToPool } from "@millrace/contracts";

/** What decides about an offer. */
export interface OfferState {
  readonly draining: boolean;
  /** The org whose files lie in this workspace root; undefined before the first. */
  readonly servedOrg: string | undefined;
  /** The attempt of the offered run that is executing here. */
  readonly executing: number | undefined;
  readonly free: number;
}

type DeclineReason = Extract<RunnerToPool, { type: "decline" }>["reason"];

export type OfferDecision =
  | { readonly kind: "accept" }
  /** It was accepted before and that answer was lost; it is answered again and nothing is started. */
  | { readonly kind: "accepted_before" }
  | { readonly kind: "decline"; readonly reason: DeclineReason };

/** Takes an offer, or says why not. */
export function decideOffer(
  offer: Pick<Offer, "orgId" | "attempt">,
  state: OfferState,
): OfferDecision {
  if (state.executing === offer.attempt) return { kind: "accepted_before" };
  if (state.draining) return { kind: "decline", reason: "draining" };
  if (state.servedOrg !== undefined && state.servedOrg !== offer.orgId) {
    return { kind: "decline", reason: "other_org" };
  }
  // The workspace is still in the hands of an attempt that has yet to learn that it is over.
  if (state.executing !== undefined) return { kind: "decline", reason: "already_running" };
  if (state.free < 1) return { kind: "decline", reason: "full" };
  return { kind: "accept" };
}
