import type { RunRefusal } from "@millrace/contracts";
import { runnerOf, type Change, type RunState } from "./state.ts";

export interface Claim {
  readonly attempt: number;
  readonly runnerId: string;
  readonly maxAttempts: number;
  /** Seq that the next event gets. */
  readonly nextSeq: number;
  readonly now: number;
}

export type ClaimDecision =
  | { readonly kind: "first"; readonly change: Change }
  /** The same pair again: a lost answer or a reconnect. The answer is given again, nothing else happens. */
  | { readonly kind: "again" }
  | { readonly kind: "refused"; readonly code: RunRefusal };

/** Binds the current attempt to one runner, once. */
export function decideClaim(state: RunState, claim: Claim): ClaimDecision {
  if (state.stage.kind === "over") return { kind: "refused", code: "run_over" };
  if (claim.attempt !== state.attempt) return { kind: "refused", code: "fenced" };
  const holder = runnerOf(state.stage);
  if (holder !== null) {
    return holder === claim.runnerId ? { kind: "again" } : { kind: "refused", code: "lease_held" };
  }
  if (state.stage.kind !== "dispatched") return { kind: "refused", code: "fenced" };
  return { kind: "first", change: start(state, claim) };
}

function start(state: RunState, claim: Claim): Change {
  const { superseded } = state;
  return {
    state: {
      ...state,
      stage: { kind: "running", runnerId: claim.runnerId },
      attemptFirst: claim.nextSeq,
      superseded: null,
      startedAt: state.startedAt ?? claim.now,
      updatedAt: claim.now,
    },
    events: [
      {
        type: "run.started",
        data: {
          attempt: claim.attempt,
          maxAttempts: claim.maxAttempts,
          runnerId: claim.runnerId,
          ...(superseded && { supersedes: superseded }),
        },
      },
    ],
  };
}
