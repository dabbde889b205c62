import type { Change, RunState } from "./state.ts";

export interface Cancel {
  readonly by: string;
  readonly now: number;
  /** How long the runner has to answer before the run ends without it. */
  readonly forceMs: number;
  /** How long it has to acknowledge before its session is stopped; null: no operator could stop it. */
  readonly ackMs: number | null;
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
    case "waiting":
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
    case "stopping":
      return {
        state: {
          ...state,
          stage: {
            kind: "cancelling",
            runnerId: stage.runnerId,
            forceAt: cancel.now + cancel.forceMs,
            stopAt: cancel.ackMs === null ? null : cancel.now + cancel.ackMs,
          },
          updatedAt: cancel.now,
        },
        events: [cancelling],
      };
  }
}

/** The runner has seen the cancel: it ends by itself. Null: that was known, or no cancel is under way. */
export function decideCancelAck(state: RunState): RunState | null {
  const { stage } = state;
  if (stage.kind !== "cancelling" || stage.stopAt === null) return null;
  return { ...state, stage: { ...stage, stopAt: null } };
}
