/** How long the current attempt may write. `graced`: its end was already put off once, or shall not be. */
export interface Lease {
  readonly until: number;
  readonly graced: boolean;
}

export type ExpiryDecision =
  | { readonly kind: "holds" }
  | { readonly kind: "graced"; readonly lease: Lease }
  | { readonly kind: "expired" };

/**
 * After a restart of the edge an overdue alarm fires before any runner can have reconnected, so a lease
 * that is found expired for the first time is given one grace.
 */
export function decideExpiry(lease: Lease, now: number, graceMs: number): ExpiryDecision {
  if (now < lease.until) return { kind: "holds" };
  if (!lease.graced) return { kind: "graced", lease: { until: now + graceMs, graced: true } };
  return { kind: "expired" };
}

/** Any accepted message renews the lease and gives it a grace again. */
export function renewedLease(now: number, leaseMs: number): Lease {
  return { until: now + leaseMs, graced: false };
}

/** A runner that lives reclaims at once; a dead one is replaced soon. */
export function leaseOfLostSocket(lease: Lease, now: number, closedMs: number): Lease {
  return { until: Math.min(lease.until, now + closedMs), graced: true };
}
