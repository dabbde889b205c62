export interface BackoffBounds {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * How long to wait before try `tries + 1`: doubles up to the cap, of which a random half is taken off
 * so that the runners of a restarted edge do not come back in one moment.
 */
export function backoffMs(tries: number, bounds: BackoffBounds, random: number): number {
  const full = Math.min(bounds.maxMs, bounds.firstMs * 2 ** Math.min(tries, 30));
  return Math.round(full * (1 - random / 2));
}

/** A runner must be back within the 15 s that an expired lease is given after an edge restart. */
export const reconnectBounds: BackoffBounds = { firstMs: 100, maxMs: 2_000 };
