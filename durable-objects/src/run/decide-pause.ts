import type { NewEvent } from "@millrace/contracts";
import type { Change, RunState, Stage } from "./state.ts";

export interface Stop {
  readonly now: number;
  /** How long the runner has to hand the run back before its session is stopped; null: no operator could stop it. */
  readonly answerMs: number | null;
}

type Awaits = Extract<Stage, { kind: "waiting" }>["awaits"];

/** Asks the run to pause. Null: nothing changes, as it is paused, ending or over, or its turn has not come. */
export function decideStop(state: RunState, { now, answerMs }: Stop): Change | null {
  const { stage } = state;
  switch (stage.kind) {
    case "created":
    case "stopping":
    case "cancelling":
    case "over":
      return null;
    case "waiting":
      return pausedLater(state, stage, now);
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

const stopped: NewEvent = { type: "run.waiting", data: { reason: "stopped" } };

/** The run gives up its attempt and waits for a resume. */
export function paused(state: RunState, now: number, awaits: Awaits = null): Change {
  return {
    state: {
      ...state,
      stage: { kind: "waiting", since: now, paused: true, awaits },
      updatedAt: now,
    },
    events: [stopped],
  };
}

/** It waits as before, and an answer does not make it go on. */
function pausedLater(
  state: RunState,
  stage: Extract<Stage, { kind: "waiting" }>,
  now: number,
): Change | null {
  if (stage.paused) return null;
  const silentChanges = state.silentChanges + 1;
  return {
    state: { ...state, stage: { ...stage, paused: true }, silentChanges, updatedAt: now },
    events: [stopped],
  };
}

/** The run waits for its user. */
export function awaiting(
  state: RunState,
  { since, question }: { readonly since: number; readonly question: string | null },
): Change {
  const stage: Stage = { kind: "waiting", since, paused: false, awaits: { question } };
  const data = question === null ? { reason: "input" } : { reason: "question", question };
  return { state: { ...state, stage, updatedAt: since }, events: [{ type: "run.waiting", data }] };
}

/** The run is queued again, at once. */
export function goneOn(state: RunState, reason: string, now: number): Change {
  const { stage, startedAt } = state;
  const waited = stage.kind === "waiting" && startedAt !== null ? now - stage.since : 0;
  return {
    state: {
      ...state,
      stage: { kind: "queued", readyAt: now },
      waitedMs: state.waitedMs + Math.max(0, waited),
      updatedAt: now,
    },
    events: [{ type: "run.resumed", data: { reason } }],
  };
}

/**
 * Puts a paused run back into the queue; one that was asking something asks again. Null: it is not paused. A stop that its
 * runner has not answered yet cannot be taken back: ask again once it waits.
 */
export function decideResume(state: RunState, by: string, now: number): Change | null {
  const { stage } = state;
  if (stage.kind !== "waiting" || !stage.paused) return null;
  if (stage.awaits === null || state.inputs > state.heard) return goneOn(state, by, now);
  const { since, awaits } = stage;
  const asked = awaiting(state, { since, question: awaits.question });
  const silentChanges = state.silentChanges + 1;
  return { ...asked, state: { ...asked.state, silentChanges, updatedAt: now } };
}
