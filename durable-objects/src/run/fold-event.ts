import { addUsage, type RunnerEvent } from "@millrace/contracts";
import type { RunState } from "./state.ts";

/** Takes into the state what an appended event tells about the run. The same object comes back if nothing. */
export function foldEvent(state: RunState, event: RunnerEvent): RunState {
  if (event.type === "usage") return { ...state, usage: addUsage(state.usage, event.data) };
  if (event.type === "model.resolved") {
    const { provider, model, source } = event.data;
    return { ...state, provider, model, modelSource: source };
  }
  return state;
}
