import { runnerOf, type Change, type RunState } from "./state.ts";

/** Allocates the next attempt. Null: the run is not waiting for one. */
export function decideDispatch(state: RunState, now: number): Change | null {
  const { kind } = state.stage;
  if (kind !== "created" && kind !== "queued") return null;
  return {
    state: {
      ...state,
      stage: { kind: "dispatched", since: now },
      attempt: state.attempt + 1,
      attemptFirst: 0,
      updatedAt: now,
    },
    events: [],
  };
}

/** No runner came in time. Null: one did, or the run is over. */
export function decideStartDeadline(
  state: RunState,
  maxAttempts: number,
  now: number,
): Change | null {
  if (state.stage.kind !== "dispatched") return null;
  const error = { code: "no_runner", error: "No runner took the run in time." } as const;
  const failures = state.failures + 1;
  return {
    state: {
      ...state,
      stage: { kind: "over", outcome: "failed", uploadsUntil: null },
      failures,
      error,
      completedAt: now,
      updatedAt: now,
    },
    events: [
      {
        type: "run.failed",
        data: {
          ...error,
          attempts: failures,
          maxAttempts,
          usage: state.usage,
          durationMs: Math.max(0, now - (state.startedAt ?? now)),
        },
      },
    ],
  };
}

/** May this attempt read and write what belongs to the run's execution? */
export function isCurrent(state: RunState, attempt: number): boolean {
  return runnerOf(state.stage) !== null && state.attempt === attempt;
}

/** May this attempt still execute, or begin to? */
export function mayStart(state: RunState, attempt: number): boolean {
  if (state.attempt !== attempt) return false;
  return state.stage.kind === "dispatched" || runnerOf(state.stage) !== null;
}
