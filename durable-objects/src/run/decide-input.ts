import { limits } from "@millrace/contracts";
import { goneOn } from "./decide-pause.ts";
import type { Change, RunState } from "./state.ts";

export interface Given {
  /** Null: the run is to come to its end. */
  readonly content: string | null;
  readonly by: string;
  /** The run takes messages whatever it is doing. */
  readonly keepOpen: boolean;
  readonly now: number;
}

/** `not_waiting`: it has not asked. `finishing`: it was told that nothing follows. `too_many`: it has not come to the earlier ones. */
export type InputRefusal = "run_over" | "not_waiting" | "finishing" | "too_many";

export type InputDecision =
  | { readonly ok: true; readonly n: number; readonly change: Change }
  | { readonly ok: false; readonly code: InputRefusal };

/** Takes what a user says to a run. One that waits for it goes on; else it is kept until the run comes to it. */
export function decideInput(state: RunState, given: Given): InputDecision {
  const code = refusalOf(state, given);
  if (code !== null) return { ok: false, code };
  const n = state.inputs + 1;
  const { content, by, now } = given;
  const told: Change = {
    state: { ...state, inputs: n, finishing: content === null, updatedAt: now },
    events: [{ type: "run.input", data: { n, content, by } }],
  };
  const { stage } = state;
  const goesOn = stage.kind === "waiting" && !stage.paused;
  if (!goesOn) return { ok: true, n, change: told };
  const next = goneOn(told.state, "input", now);
  return { ok: true, n, change: { ...next, events: [...told.events, ...next.events] } };
}

function refusalOf(state: RunState, { keepOpen }: Given): InputRefusal | null {
  const { stage } = state;
  if (stage.kind === "over" || stage.kind === "cancelling") return "run_over";
  if (state.finishing) return "finishing";
  const unheard = state.inputs - state.heard;
  const isAsked = stage.kind === "waiting" && stage.awaits !== null && unheard === 0;
  if (!keepOpen && !isAsked) return "not_waiting";
  return unheard < limits.inputsUnheard ? null : "too_many";
}
