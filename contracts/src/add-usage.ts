import type { Usage } from "./event.ts";

/** Adds reported tokens. What nobody reported stays unknown. */
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
