import type { LimitName } from "@millrace/contracts";

export type OpenRunsLimit = Extract<LimitName, "open_runs_per_project" | "open_runs_per_org">;

/** What the thread knows when a run is asked for. */
export interface CreateSituation {
  /** The run that has this idempotency key already. */
  readonly sameKey: { readonly fingerprint: string } | null;
  readonly latest: { readonly runId: string; readonly runIndex: number } | null;
  /** The limit that stands in the way of another run. A repeat makes none. */
  readonly full: OpenRunsLimit | null;
}

export type CreateDecision =
  | { readonly kind: "known" }
  | { readonly kind: "mismatch" }
  | { readonly kind: "full"; readonly limit: OpenRunsLimit }
  | {
      readonly kind: "create";
      readonly runIndex: number;
      /** The latest run is the writable one; it becomes the parent, and read-only. */
      readonly parentRunId: string | null;
    };

/** The same key and request is the same run; anything else takes the next place in the thread. */
export function decideCreate(situation: CreateSituation, fingerprint: string): CreateDecision {
  const { sameKey, latest, full } = situation;
  if (sameKey) return { kind: sameKey.fingerprint === fingerprint ? "known" : "mismatch" };
  if (full !== null) return { kind: "full", limit: full };
  return {
    kind: "create",
    runIndex: (latest?.runIndex ?? 0) + 1,
    parentRunId: latest?.runId ?? null,
  };
}
