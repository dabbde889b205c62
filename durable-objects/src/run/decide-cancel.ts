import type { Change, RunState } from "./state.ts";

export interface Cancel {
  readonly by: string;
  readonly now: number;
  /** How long the runner has to answer before the run ends without it. */
  readonly forceMs: number;
}

/** Null: nothing changes, because the run is over or a cancel is under way. */
export function decideCancel(state: RunState, cancel: Cancel): Change | null {
  const { stage } = state;
  const cancelling = { type: "run.cancelling", data: { by: cancel.by } } as const;
  switch (stage.kind) {
    case "over":
    case "cancelling":
      return null;
    case "created":
    case "queued":
    case "dispatched":
      // Nobody executes it, so there is nobody to wait for.
      return {
        state: {
          ...state,
          stage: { kind: "over", outcome: "cancelled", uploadsUntil: null },
          superseded: null,
          completedAt: cancel.now,
          updatedAt: cancel.now,
        },
        events: [cancelling, { type: "run.cancelled", data: {} }],
      };
    case "running":
      return {
        state: {
          ...state,
          stage: {
            kind: "cancelling",
            runnerId: stage.runnerId,
            forceAt: cancel.now + cancel.forceMs,
          },
          updatedAt: cancel.now,
        },
        events: [cancelling],
      };
  }
}
