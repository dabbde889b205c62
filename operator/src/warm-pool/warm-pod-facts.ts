import type { Pod } from "../agentic-session/facts.ts";
import { conditionOf, isPodOver, runnerEnd } from "../agentic-session/pod-facts.ts";
import type { WarmPod } from "./decide-warm-pool.ts";
import { templateAnnotation } from "./make-warm-pod.ts";

/** A pod of the API server, as the pool looks at it. */
export function readWarmPod(pod: Pod, hasToken: boolean): WarmPod {
  const { name, annotations, creationTimestamp } = pod.metadata;
  return {
    name,
    template: annotations?.[templateAnnotation] ?? "",
    createdAt: Date.parse(creationTimestamp),
    state: stateOf(pod),
    hasToken,
  };
}

function stateOf(pod: Pod): WarmPod["state"] {
  if (pod.metadata.deletionTimestamp !== undefined) return { kind: "going" };
  if (!isPodOver(pod)) {
    return { kind: "idle", isReady: conditionOf(pod, "Ready")?.status === "True" };
  }
  const end = runnerEnd(pod);
  // Of an evicted pod no container says when it ended.
  const at = end?.finishedAt ?? conditionOf(pod, "Ready")?.lastTransitionTime;
  const over = Date.parse(at ?? pod.metadata.creationTimestamp);
  return { kind: "over", hasFailed: end?.exitCode !== 0, at: over };
}
