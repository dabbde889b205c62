import type { RunnerEvent, Usage } from "@millrace/contracts";
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

export function addUsage(sum: Usage | null, more: Usage): Usage {
  return {
    inputTokens: add(sum?.inputTokens, more.inputTokens),
    outputTokens: add(sum?.outputTokens, more.outputTokens),
    totalTokens: add(sum?.totalTokens, more.totalTokens),
    cachedInputTokens: add(sum?.cachedInputTokens, more.cachedInputTokens),
    reasoningOutputTokens: add(sum?.reasoningOutputTokens, more.reasoningOutputTokens),
  };
}

function add(sum: number | null | undefined, more: number | null): number | null {
  if (more === null) return sum ?? null;
  return (sum ?? 0) + more;
}
