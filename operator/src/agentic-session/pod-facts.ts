import type {
  V1ContainerStateTerminated,
  V1ContainerStatus,
  V1PodCondition,
} from "@kubernetes/client-node";
import { sessionPod } from "@millrace/contracts";
import type { Wire } from "../kube/kind.ts";
import type { Pod } from "./facts.ts";

type ContainerStatus = Wire<V1ContainerStatus>;
type Terminated = Wire<V1ContainerStateTerminated>;

export interface Ended {
  readonly container: string;
  readonly state: Terminated;
}

function runnerOf(pod: Pod | undefined): ContainerStatus | undefined {
  return pod?.status?.containerStatuses?.find((one) => one.name === sessionPod.container);
}

/** It was an idle pod of the warm pool: a session owns it, and no Job. */
export function isAdopted({ metadata }: Pod): boolean {
  return metadata.ownerReferences?.some((one) => one.controller && one.kind !== "Job") ?? false;
}

export function runnerEnd(pod: Pod | undefined): Terminated | undefined {
  return runnerOf(pod)?.state?.terminated;
}

export function isRunnerRunning(pod: Pod | undefined): boolean {
  return runnerOf(pod)?.state?.running !== undefined;
}

/** When its runner's container began. */
export function runnerSince(pod: Pod | undefined): string | undefined {
  const { running, terminated } = runnerOf(pod)?.state ?? {};
  return running?.startedAt ?? terminated?.startedAt;
}

/** Containers that have written a log, or may have: those that run and those that have ended. */
export function startedContainers(
  pod: Pod,
): readonly { readonly name: string; readonly isRunning: boolean }[] {
  return allContainers(pod).flatMap(({ name, state, lastState }) => {
    const isStarted = state?.running ?? state?.terminated ?? lastState?.terminated;
    return isStarted ? [{ name, isRunning: state?.running !== undefined }] : [];
  });
}

export const hasStarted = (pod: Pod): boolean => startedContainers(pod).length > 0;

/** Nothing of it executes any more; false also for a pod that nobody can say this of. */
export function isPodOver(pod: Pod | undefined): boolean {
  const phase = pod?.status?.phase;
  return phase === "Succeeded" || phase === "Failed" || runnerEnd(pod) !== undefined;
}

/** Ended containers, those that were started again included, init containers and sidecars first. */
export function endedContainers(pod: Pod | undefined): readonly Ended[] {
  return allContainers(pod).flatMap((status) =>
    [status.state?.terminated, status.lastState?.terminated]
      .filter((state) => state !== undefined)
      .map((state) => ({ container: status.name, state })),
  );
}

/** An init container that ended badly, and with it the pod before its runner. */
export function failedInit(pod: Pod | undefined): Ended | undefined {
  const runner = runnerOf(pod)?.state;
  if (runner?.running || runner?.terminated) return undefined;
  const sidecars = sidecarsOf(pod);
  return pod?.status?.initContainerStatuses
    ?.filter(({ name }) => !sidecars.has(name))
    .flatMap(({ name, state }) =>
      state?.terminated ? [{ container: name, state: state.terminated }] : [],
    )
    .find(({ state }) => state.exitCode !== 0);
}

/** Init containers that stay beside the runner: they are started again, and ended after it, with whatever code. */
function sidecarsOf(pod: Pod | undefined): ReadonlySet<string> {
  const sidecars = pod?.spec?.initContainers?.filter((one) => one.restartPolicy === "Always");
  return new Set(sidecars?.map(({ name }) => name));
}

/** The first container that waits for one of these reasons. */
export function waitingFor(pod: Pod | undefined, reasons: ReadonlySet<string>) {
  for (const { name, state } of allContainers(pod)) {
    const reason = state?.waiting?.reason;
    if (reason === undefined || !reasons.has(reason)) continue;
    return { container: name, reason, detail: state?.waiting?.message ?? reason };
  }
  return undefined;
}

export function conditionOf(pod: Pod | undefined, type: string): Wire<V1PodCondition> | undefined {
  return pod?.status?.conditions?.find((condition) => condition.type === type);
}

/** Why the pod is taken away (Kubernetes: pod disruption conditions), if it is. */
export function disruptionOf(pod: Pod | undefined): Wire<V1PodCondition> | undefined {
  const condition = conditionOf(pod, "DisruptionTarget");
  return condition?.status === "True" ? condition : undefined;
}

/** The scheduler's words, while it finds no node. */
export function unscheduled(pod: Pod | undefined): string | undefined {
  const condition = conditionOf(pod, "PodScheduled");
  if (condition?.status !== "False") return undefined;
  return condition.message ?? condition.reason ?? "the scheduler has not placed the pod";
}

function allContainers(pod: Pod | undefined): readonly ContainerStatus[] {
  const { initContainerStatuses = [], containerStatuses = [] } = pod?.status ?? {};
  return [...initContainerStatuses, ...containerStatuses];
}
