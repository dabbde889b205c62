import type { Facts } from "./facts.ts";
import type { Change } from "./plan.ts";

export function clearOthers({ others }: Facts, runId: string): readonly Change[] {
  return others.map(({ attempt, podName }) => ({ kind: "clear-attempt", runId, attempt, podName }));
}

export function clearCurrent(
  { attempt, job, pod, secret }: Facts,
  runId: string,
): readonly Change[] {
  if (!job && !pod && !secret) return [];
  return [{ kind: "clear-attempt", runId, attempt, podName: pod?.metadata.name }];
}
