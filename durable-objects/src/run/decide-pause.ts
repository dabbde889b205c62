import type { Change, RunState } from "./state.ts";

export interface Stop {
  readonly now: number;
  /** How long the runner has to hand the run back before its session is stopped; null: no operator could stop it. */
  readonly answerMs: number | null;
}

/** Asks the run to pause. Null: nothing changes, as it is paused, ending or over, or its turn has not come. */
export function decideStop(state: RunState, { now, answerMs }: Stop): Change | null {
  const { stage } = state;
  switch (stage.kind) {
    case "created":
    case "waiting":
    case "stopping":
    case "cancelling":
    case "over":
      return null;
    case "queued":
    case "dispatched":
      return paused(state, now);
    case "running": {
      const stopAt = answerMs === null ? null : now + answerMs;
      return {
        state: {
          ...state,
          stage: { kind: "stopping", runnerId: stage.runnerId, stopAt },
          // No event tells it, and readers of the view are to see it.
          silentChanges: state.silentChanges + 1,
          updatedAt: now,
        },
        events: [],
      };
    }
  }
}

/** The run gives up its attempt and waits for a resume. */
export function paused(state: RunState, now: number): Change {
  return {
    state: { ...state, stage: { kind: "waiting", since: now }, updatedAt: now },
    events: [{ type: "run.waiting", data: { reason: "stopped" } }],
  };
}

/**
 * Puts a paused run back into the queue. Null: it is not paused. A stop that its runner has not answered yet
 * cannot be taken back: ask again once it waits.
 */
export function decideResume(state: RunState, by: string, now: number): Change | null {
  if (state.stage.kind !== "waiting") return null;
  return {
    state: { ...state, stage: { kind: "queued", readyAt: now }, updatedAt: now },
    events: [{ type: "run.resumed", data: { reason: by } }],
  };
}
