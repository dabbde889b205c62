import { makeRedactor, type SessionEvidence, sessionExitCode } from "@millrace/contracts";
import { type Facts, type Finding, awaitsClaim, startDeadline, wasStarted } from "./facts.ts";
import {
  disruptionOf,
  endedContainers,
  failedInit,
  isPodOver,
  isRunnerRunning,
  runnerEnd,
  unscheduled,
  waitingFor,
} from "./pod-facts.ts";

type Find = (facts: Facts) => Finding | undefined;

/** The runner says itself how a run ends, and that may still be on its way when its container is over. */
const lastWordMs = 10_000;

/** What kubelet quotes of a container may be anything that it wrote. */
const shapes = makeRedactor([]);

/** A finding about the pod that is a failure now, unless `failsAt` says later. */
export function inPod(
  facts: Facts,
  message: string,
  more: SessionEvidence & { readonly failsAt?: number } = {},
): Finding {
  const { failsAt = facts.now, ...evidence } = more;
  const { pod } = facts;
  const detail = evidence.detail === undefined ? undefined : shapes.text(evidence.detail);
  return {
    message: shapes.text(message).slice(0, 1024),
    failsAt,
    evidence: {
      ...evidence,
      ...(pod && { podName: pod.metadata.name }),
      ...(pod?.spec?.nodeName !== undefined && { nodeName: pod.spec.nodeName }),
      ...(detail !== undefined && { detail: detail.slice(0, 4096) }),
    },
  };
}

/** The pod was taken from its runner. A runner that handed its run back in time has nothing to be reported. */
function disrupted(facts: Facts, what: string, detail: string | undefined): Finding | undefined {
  if (runnerEnd(facts.pod)?.exitCode === sessionExitCode.done) return undefined;
  // On its way out the runner may still hand the run back; a pod that is gone comes as PodDeleted.
  if (!isPodOver(facts.pod)) return undefined;
  return inPod(facts, detail === undefined ? what : `${what}: ${detail}`, {
    ...(detail !== undefined && { detail }),
  });
}

export const evicted: Find = (facts) => {
  const { reason, message } = facts.pod?.status ?? {};
  if (reason === "Evicted") return disrupted(facts, "The pod was evicted", message);
  const disruption = disruptionOf(facts.pod);
  if (disruption?.reason !== "EvictionByEvictionAPI") return undefined;
  return disrupted(facts, "The pod was evicted", disruption.message);
};

export const preempted: Find = (facts) => {
  const { reason, message } = facts.pod?.status ?? {};
  const disruption = disruptionOf(facts.pod);
  // Kubelet itself makes room for pods that the node needs.
  const isPreempted = disruption?.reason === "PreemptionByScheduler" || reason === "Preempting";
  if (!isPreempted) return undefined;
  const detail = message ?? disruption?.message;
  return disrupted(facts, "The pod made room for one of higher priority", detail);
};

const shutdownReasons = new Set(["NodeShutdown", "Shutdown", "Terminated"]);

export const nodeShutdown: Find = (facts) => {
  const { reason, message } = facts.pod?.status ?? {};
  const disruption = disruptionOf(facts.pod);
  const isShutdown =
    shutdownReasons.has(reason ?? "") || disruption?.reason === "TerminationByKubelet";
  if (!isShutdown) return undefined;
  return disrupted(facts, "The node was shut down", message ?? disruption?.message);
};

const lostReasons = new Set(["DeletionByTaintManager", "DeletionByPodGC"]);

export const nodeLost: Find = (facts) => {
  if (!isOnLostNode(facts)) return undefined;
  const detail = firstOf(facts.pod?.status?.message, disruptionOf(facts.pod)?.message);
  // Nobody can say of a pod on a lost node that it is over.
  return inPod(facts, `The node is lost: ${detail}`, { detail });
};

function isOnLostNode({ pod }: Facts): boolean {
  const { reason, phase } = pod?.status ?? {};
  if (reason === "NodeLost" || phase === "Unknown") return true;
  return lostReasons.has(disruptionOf(pod)?.reason ?? "");
}

const firstOf = (...details: readonly (string | undefined)[]): string =>
  details.find((detail) => detail) ?? "nobody can say what became of the pod";

export const outOfMemory: Find = (facts) => {
  const killed = endedContainers(facts.pod).find(({ state }) => state.reason === "OOMKilled");
  if (!killed) return undefined;
  const { container, state } = killed;
  return inPod(facts, `Container ${container} used more memory than its limit and was killed`, {
    container,
    exitCode: state.exitCode,
    ...(facts.logTail !== undefined && { logTail: facts.logTail }),
  });
};

/** A container that waits for one of these reasons will not start by itself. */
export function waiting(...reasons: readonly string[]): Find {
  const wanted = new Set(reasons);
  return (facts) => {
    const found = waitingFor(facts.pod, wanted);
    if (!found) return undefined;
    const { container, reason, detail } = found;
    return inPod(facts, `Container ${container}: ${reason}: ${detail}`, { container, detail });
  };
}

export const initContainerFailed: Find = (facts) => {
  const failed = failedInit(facts.pod);
  if (!failed) return undefined;
  const { container, state } = failed;
  return inPod(facts, `Init container ${container} ended with exit code ${state.exitCode}`, {
    container,
    exitCode: state.exitCode,
    ...(state.message !== undefined && { detail: state.message }),
  });
};

/** The runner's container ended with this code; `any`: with whatever code no other check has. */
export function runnerExited(code: number | "any"): Find {
  return (facts) => {
    const end = runnerEnd(facts.pod);
    if (!end || (code !== "any" && end.exitCode !== code)) return undefined;
    return ended(facts, end);
  };
}

function ended(facts: Facts, end: NonNullable<ReturnType<typeof runnerEnd>>): Finding {
  const { exitCode, signal, finishedAt } = end;
  const logTail = facts.logTail?.trim().slice(-4096);
  const how = signal ? `signal ${signal}` : `exit code ${exitCode}`;
  const words = logTail ? `. Its last words: ${logTail}` : "";
  return inPod(facts, `The runner ended with ${how}${words}`, {
    container: "runner",
    exitCode,
    ...(signal && { signal }),
    ...(logTail && { logTail }),
    ...(exitCode === sessionExitCode.done && { failsAt: lastWordAt(facts, finishedAt) }),
  });
}

const lastWordAt = ({ now }: Facts, finishedAt: string | undefined): number =>
  (finishedAt === undefined ? now : Date.parse(finishedAt)) + lastWordMs;

/** Kubelet may refuse a pod that the scheduler gave it; then no container of it ever was. */
export const podFailed: Find = (facts) => {
  const { pod } = facts;
  if (!isPodOver(pod) || runnerEnd(pod)) return undefined;
  const { reason = "no reason given", message } = pod?.status ?? {};
  const detail = message === undefined ? reason : `${reason}: ${message}`;
  return inPod(facts, `The pod failed before its runner ran: ${detail}`, { detail });
};

export const unschedulable: Find = (facts) => {
  const detail = unscheduled(facts.pod);
  if (detail === undefined) return undefined;
  return inPod(facts, `No node takes the pod: ${detail}`, {
    detail,
    failsAt: startDeadline(facts),
  });
};

/** Gone, and not by us. While it is on its way out the runner may still hand its run back. */
export const podDeleted: Find = (facts) => {
  const { pod, job, session, stopBy } = facts;
  if (stopBy !== undefined || pod || awaitsClaim(facts) || !wasStarted(facts)) return undefined;
  const { podName } = session.status ?? {};
  if (podName === undefined || (!job && facts.warmPod === undefined)) return undefined;
  return inPod(facts, `Pod ${podName} was deleted`, { podName });
};

export const silent: Find = (facts) => {
  if (facts.stopBy !== "fence" || !isRunnerRunning(facts.pod)) return undefined;
  return inPod(facts, "The platform heard nothing of the runner and went on without it");
};
