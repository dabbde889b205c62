import type { Facts } from "./facts.ts";
import type { Change } from "./plan.ts";

export function clearOthers({ others }: Facts): readonly Change[] {
  return others.map(({ attempt, podName }) => ({ kind: "clear-attempt", attempt, podName }));
}

export function clearCurrent({ attempt, job, pod, secret }: Facts): readonly Change[] {
  if (!job && !pod && !secret) return [];
  return [{ kind: "clear-attempt", attempt, podName: pod?.metadata.name }];
}
