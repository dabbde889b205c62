/** What a Lease says, as far as election cares (coordination.k8s.io/v1). */
export interface LeaseRecord {
  /** Empty: released. */
  readonly holder: string;
  readonly durationMs: number;
  readonly transitions: number;
  /** Opaque; changes with every write. */
  readonly version: string;
}

/** What this process has seen of the Lease, and when by its own monotonic clock. */
export interface Observation {
  readonly record: LeaseRecord;
  readonly since: number;
}

export type LeaseDecision =
  /** There is none: make it. */
  | { readonly kind: "create" }
  /** It is ours, or free, or its holder has been silent for its whole duration. */
  | { readonly kind: "write"; readonly transitions: number }
  /** Somebody holds it for so long at least. */
  | { readonly kind: "wait"; readonly forMs: number };

/**
 * The version counts, not the times inside: they come from another machine's clock. Only what was
 * seen unchanged for a whole duration by our own clock is over.
 */
export function observeLease(
  previous: Observation | undefined,
  record: LeaseRecord | undefined,
  now: number,
): Observation | undefined {
  if (!record) return undefined;
  if (previous?.record.version === record.version) return previous;
  return { record, since: now };
}

export function decideLease(
  observed: Observation | undefined,
  me: string,
  now: number,
): LeaseDecision {
  if (!observed) return { kind: "create" };
  const { record, since } = observed;
  if (record.holder === me) return { kind: "write", transitions: record.transitions };
  const forMs = since + record.durationMs - now;
  if (record.holder !== "" && forMs > 0) return { kind: "wait", forMs };
  return { kind: "write", transitions: record.transitions + 1 };
}
