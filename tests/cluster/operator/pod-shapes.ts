import type { V1Pod } from "@kubernetes/client-node";

const terminated = (exitCode: number, reason: string) => ({
  terminated: { exitCode, reason, finishedAt: new Date().toISOString() },
});
const disrupted = (reason: string, message: string) => [
  { type: "DisruptionTarget", status: "True", reason, message },
];

const containers = ({ status }: V1Pod, state: object) =>
  status?.containerStatuses?.map(({ name, image, imageID }) => {
    return { name, image, imageID, ready: false, restartCount: 0, state };
  });

export const exits = (code: number) => (pod: V1Pod) => ({
  phase: "Failed",
  containerStatuses: containers(pod, terminated(code, "Error")),
});

/** Another attempt would find the same. */
export const final = new Set([
  "DeadlineExceeded",
  "InvalidImageName",
  "ContainerConfigError",
  "BadSettings",
  "AdmissionDenied",
]);

/**
 * As kubelet and the scheduler leave a pod, by reason, and by whom where there are two. The full list stands in the operator's
 * `decide-failures.test.ts`.
 */
export const shapes: Readonly<Record<string, (pod: V1Pod) => object>> = {
  Evicted: (pod) => ({
    phase: "Failed",
    reason: "Evicted",
    message: "The node was low on resource: memory",
    conditions: disrupted("TerminationByKubelet", "The node was low on resource: memory"),
    containerStatuses: containers(pod, terminated(137, "ContainerStatusUnknown")),
  }),
  Preempted: (pod) => ({
    phase: "Failed",
    conditions: disrupted("PreemptionByScheduler", "preempting to accommodate a higher priority"),
    containerStatuses: containers(pod, terminated(143, "Error")),
  }),
  "Preempted-kubelet": (pod) => ({
    phase: "Failed",
    reason: "Preempting",
    message: "Preempted in order to admit critical pod",
    conditions: disrupted("TerminationByKubelet", "Preempted in order to admit critical pod"),
    containerStatuses: containers(pod, terminated(137, "Error")),
  }),
  NodeShutdown: (pod) => ({
    phase: "Failed",
    reason: "Terminated",
    message: "Pod was terminated in response to imminent node shutdown.",
    conditions: disrupted("TerminationByKubelet", "Pod was terminated in response"),
    containerStatuses: containers(pod, terminated(143, "Error")),
  }),
  DeadlineExceeded: (pod) => ({
    phase: "Failed",
    reason: "DeadlineExceeded",
    message: "Pod was active on the node longer than the specified deadline",
    containerStatuses: containers(pod, terminated(137, "Error")),
  }),
  RepositoryFailed: exits(3),
  McpServerFailed: exits(6),
  TokenRefused: exits(4),
  EdgeUnreachable: exits(5),
  NodeLost: () => ({
    conditions: disrupted("DeletionByTaintManager", "Taint manager: deleting due to NoExecute"),
  }),
  PodFailed: () => ({
    phase: "Failed",
    reason: "UnexpectedAdmissionError",
    message: "Pod was rejected: Allocate failed",
    containerStatuses: [],
  }),
};

const waits = (reason: string, message: string) => (pod: V1Pod) => ({
  phase: "Pending",
  containerStatuses: unstarted(pod, { waiting: { reason, message } }),
});

/** As kubelet says it of a pod that does not start. */
export const stuck: Readonly<Record<string, (pod: V1Pod) => object>> = {
  InvalidImageName: waits("InvalidImageName", "couldn't parse image name"),
  ImagePullFailed: waits("ErrImagePull", "failed to resolve reference: not found"),
  ContainerConfigError: waits("CreateContainerConfigError", 'secret "providers" not found'),
  BadSettings: (pod) => ({
    phase: "Failed",
    containerStatuses: unstarted(pod, terminated(2, "Error")),
  }),
  // Whoever changes pods on their way in may give them one.
  InitContainerFailed: (pod) => ({
    phase: "Failed",
    containerStatuses: unstarted(pod, { waiting: { reason: "PodInitializing" } }),
    initContainerStatuses: unstarted(pod, terminated(4, "Error"))?.map((status) => ({
      ...status,
      name: "prepare",
    })),
  }),
  NodeShutdown: () => ({
    phase: "Failed",
    reason: "NodeShutdown",
    message: "Pod was rejected as the node is shutting down.",
  }),
};

const unstarted = ({ spec }: V1Pod, state: object) =>
  spec?.containers.map(({ name, image = "" }) => {
    return { name, image, imageID: "", ready: false, restartCount: 0, state };
  });

/** As kubelet says it, again and again. */
export const failedMount = (pod: V1Pod | undefined, namespace: string) => ({
  metadata: { generateName: "unmounted-" },
  type: "Warning",
  reason: "FailedMount",
  message: 'MountVolume.SetUp failed for volume "files": no such device',
  involvedObject: {
    apiVersion: "v1",
    kind: "Pod",
    namespace,
    name: pod?.metadata?.name ?? "",
    uid: pod?.metadata?.uid ?? "",
  },
});
