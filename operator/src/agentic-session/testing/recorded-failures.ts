import { makeJob, second } from "./make-facts.ts";
import {
  ended,
  failed,
  finished,
  is,
  leaving,
  pod,
  type Recorded,
  running,
  scheduled,
  target,
  withSidecar,
} from "./pod-shapes.ts";

/** What can go wrong at any time: by hand from what kubelet, controllers and API server of 1.36 write. */
export const runFailures: readonly Recorded[] = [
  {
    what: "the edge refuses the token",
    reason: "TokenRefused",
    facts: pod(failed({ containerStatuses: [ended(4)] })),
  },
  {
    what: "the edge is away",
    reason: "EdgeUnreachable",
    facts: pod(failed({ containerStatuses: [ended(5)] })),
  },
  {
    what: "a repository is not there",
    reason: "RepositoryFailed",
    facts: pod(failed({ containerStatuses: [ended(3)] })),
  },
  {
    what: "an MCP server is not there",
    reason: "McpServerFailed",
    facts: pod(failed({ containerStatuses: [ended(6)] })),
  },
  {
    what: "the runner crashes",
    reason: "RunnerExited",
    facts: pod(failed({ containerStatuses: [ended(1)] })),
  },
  {
    what: "the runner crashes, and its sidecar is ended after it",
    reason: "RunnerExited",
    facts: withSidecar(
      failed({
        containerStatuses: [ended(1)],
        initContainerStatuses: [{ ...ended(143), name: "proxy" }],
      }),
    ),
  },
  {
    what: "the runner ends without a word",
    reason: "RunnerExited",
    facts: {
      ...pod({ phase: "Succeeded", conditions: scheduled, containerStatuses: [ended(0)] }),
      now: Date.parse(finished) + 11 * second,
    },
  },
  {
    what: "the runner needs too much memory",
    reason: "OutOfMemory",
    facts: pod(failed({ containerStatuses: [ended(137, "OOMKilled")] })),
  },
  {
    what: "a container beside it needs too much memory",
    reason: "OutOfMemory",
    isAlive: true,
    facts: pod({
      phase: "Running",
      conditions: scheduled,
      containerStatuses: [{ ...ended(137, "OOMKilled"), name: "proxy" }, running],
    }),
  },
  {
    what: "a sidecar needed too much memory and was started again",
    reason: "OutOfMemory",
    isAlive: true,
    facts: withSidecar({
      phase: "Running",
      conditions: scheduled,
      containerStatuses: [running],
      initContainerStatuses: [
        {
          ...running,
          name: "proxy",
          restartCount: 1,
          lastState: ended(137, "OOMKilled").state ?? {},
        },
      ],
    }),
  },
  {
    what: "kubelet evicts",
    reason: "Evicted",
    facts: pod({
      phase: "Failed",
      reason: "Evicted",
      message: "The node was low on resource: memory. Threshold quantity: 100Mi",
      conditions: [target("TerminationByKubelet", "The node was low on resource: memory")],
      containerStatuses: [ended(137)],
    }),
  },
  {
    what: "somebody evicts",
    reason: "Evicted",
    facts: leaving({
      phase: "Failed",
      conditions: [target("EvictionByEvictionAPI", "Eviction API: evicting")],
      containerStatuses: [ended(143)],
    }),
  },
  {
    what: "the scheduler preempts",
    reason: "Preempted",
    facts: leaving({
      phase: "Failed",
      conditions: [target("PreemptionByScheduler", "preempting to accommodate a higher priority")],
      containerStatuses: [ended(143)],
    }),
  },
  {
    what: "kubelet preempts",
    reason: "Preempted",
    facts: pod({
      phase: "Failed",
      reason: "Preempting",
      message: "Preempted in order to admit critical pod",
      conditions: [target("TerminationByKubelet", "Preempted in order to admit critical pod")],
      containerStatuses: [ended(137)],
    }),
  },
  {
    what: "the node is shut down",
    reason: "NodeShutdown",
    facts: pod({
      phase: "Failed",
      reason: "Terminated",
      message: "Pod was terminated in response to imminent node shutdown.",
      conditions: [target("TerminationByKubelet", "Pod was terminated in response")],
      containerStatuses: [ended(143)],
    }),
  },
  {
    what: "the node does not answer",
    reason: "NodeLost",
    isAlive: true,
    facts: leaving({
      phase: "Running",
      conditions: [target("DeletionByTaintManager", "Taint manager: deleting due to NoExecute")],
      containerStatuses: [running],
    }),
  },
  {
    what: "the node is gone",
    reason: "NodeLost",
    facts: leaving({
      phase: "Failed",
      conditions: [target("DeletionByPodGC", "PodGC: node no longer exists")],
      containerStatuses: [running],
    }),
  },
  {
    what: "Kubernetes ends it at its deadline",
    reason: "DeadlineExceeded",
    facts: pod({
      phase: "Failed",
      reason: "DeadlineExceeded",
      message: "Pod was active on the node longer than the specified deadline",
      containerStatuses: [ended(137)],
    }),
  },
  {
    what: "its Job ends at its deadline, with the pod gone",
    reason: "DeadlineExceeded",
    facts: {
      pod: undefined,
      job: makeJob({
        failed: 1,
        conditions: [{ ...is("Failed"), reason: "DeadlineExceeded", message: "Job was active" }],
      }),
    },
  },
  { what: "somebody deletes the pod", reason: "PodDeleted", facts: { pod: undefined } },
  {
    what: "somebody deletes the Job",
    reason: "JobDeleted",
    facts: { job: undefined, pod: undefined },
  },
  {
    what: "somebody deletes the Secret",
    reason: "SecretDeleted",
    isAlive: true,
    facts: {
      secret: undefined,
      ...pod({ phase: "Running", conditions: scheduled, containerStatuses: [running] }),
    },
  },
];
