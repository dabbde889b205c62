/** What the thread knows when a run is asked for. */
export interface CreateSituation {
  /** The run that has this idempotency key already. */
  readonly sameKey: { readonly fingerprint: string } | null;
  readonly latest: { readonly runId: string; readonly runIndex: number } | null;
}

export type CreateDecision =
  | { readonly kind: "known" }
  | { readonly kind: "mismatch" }
  | {
      readonly kind: "create";
      readonly runIndex: number;
      /** The latest run is the writable one; it becomes the parent, and read-only. */
      readonly parentRunId: string | null;
    };

/** The same key and request is the same run; anything else takes the next place in the thread. */
export function decideCreate(situation: CreateSituation, fingerprint: string): CreateDecision {
  const { sameKey, latest } = situation;
  if (sameKey) return { kind: sameKey.fingerprint === fingerprint ? "known" : "mismatch" };
  return {
    kind: "create",
    runIndex: (latest?.runIndex ?? 0) + 1,
    parentRunId: latest?.runId ?? null,
  };
}
