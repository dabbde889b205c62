import { createdState, type RunState, type Stage } from "../run/state.ts";

export const t0 = 1_000_000;

/** One stage of each kind, for tables that must cover all. */
export const stages = {
  created: { kind: "created" },
  queued: { kind: "queued", readyAt: t0 },
  dispatched: { kind: "dispatched", since: t0 },
  running: { kind: "running", runnerId: "r" },
  cancelling: { kind: "cancelling", runnerId: "r", forceAt: t0, stopAt: null },
  stopping: { kind: "stopping", runnerId: "r", stopAt: t0 },
  waiting: { kind: "waiting", since: t0, paused: true, awaits: null },
  over: { kind: "over", outcome: "succeeded", uploadsUntil: t0 + 1000 },
} as const satisfies { readonly [K in Stage["kind"]]: Extract<Stage, { kind: K }> };

export function stateIn(stage: Stage, change: Partial<RunState> = {}): RunState {
  return { ...createdState(t0), attempt: 1, startedAt: t0, stage, ...change };
}
