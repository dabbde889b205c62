import { sessionExitCode } from "@millrace/contracts";
import { type Facts, type Finding, awaitsClaim } from "./facts.ts";
import * as cluster from "./find-in-cluster.ts";
import * as pod from "./find-in-pod.ts";

/** One way in which an attempt of a session can fail. The same reason always means the same. */
export interface Check {
  readonly reason: string;
  /** What has happened; stands in the guide. */
  readonly cause: string;
  /** Whether another attempt can do better with nothing changed by a person. */
  readonly retryable: boolean;
  /** What to do about it; stands in the guide. */
  readonly remedy: string;
  readonly find: (facts: Facts) => Finding | undefined;
}

/** Judged from top to bottom: what explains the others stands first. */
export const checks: readonly Check[] = [
  {
    reason: "NamespaceTerminating",
    cause: "the session's namespace is being deleted",
    retryable: false,
    remedy: "create the session in a namespace that stays",
    find: cluster.namespaceTerminating,
  },
  {
    reason: "SecretMissing",
    cause:
      "a Secret in `secretRefs` is not there, or not labelled `millrace.dev/session-secret=true`",
    retryable: false,
    remedy: "create or label the Secret, then create the session again",
    find: cluster.secretMissing,
  },
  {
    reason: "Evicted",
    cause: "the node was short of memory or disk, or somebody evicted the pod (drain)",
    retryable: true,
    remedy: "raise `resources.requests` when it happens often",
    find: pod.evicted,
  },
  {
    reason: "Preempted",
    cause: "the scheduler made room for a pod of higher priority",
    retryable: true,
    remedy: "give sessions a higher priority, or the cluster more room",
    find: pod.preempted,
  },
  {
    reason: "NodeShutdown",
    cause: "the node was shut down",
    retryable: true,
    remedy: "none: the next attempt runs elsewhere",
    find: pod.nodeShutdown,
  },
  {
    reason: "NodeLost",
    cause: "the node is gone, or has not answered for too long",
    retryable: true,
    remedy: "none: the next attempt runs elsewhere",
    find: pod.nodeLost,
  },
  {
    reason: "OutOfMemory",
    cause: "a container of the pod was killed for using more memory than its limit",
    retryable: true,
    remedy: "raise `resources.limits.memory`",
    find: pod.outOfMemory,
  },
  {
    reason: "DeadlineExceeded",
    cause: "the run took longer than `timeoutSeconds`",
    retryable: false,
    remedy: "raise `timeoutSeconds`, or ask for less at once",
    find: cluster.deadlineExceeded,
  },
  {
    reason: "InvalidImageName",
    cause: "the image's name is malformed",
    retryable: false,
    remedy: "correct `image`",
    find: pod.waiting("InvalidImageName"),
  },
  {
    reason: "ImagePullFailed",
    cause: "the image cannot be pulled (ErrImagePull, ImagePullBackOff)",
    retryable: true,
    remedy: "check the image's name and the pull secrets",
    find: pod.waiting(
      "ErrImagePull",
      "ImagePullBackOff",
      "ErrImageNeverPull",
      "RegistryUnavailable",
    ),
  },
  {
    reason: "ContainerConfigError",
    cause: "the container cannot be made from its configuration (CreateContainerConfigError)",
    retryable: false,
    remedy: "kubelet's message names what is missing",
    find: pod.waiting("CreateContainerConfigError", "CreateContainerError", "RunContainerError"),
  },
  {
    reason: "InitContainerFailed",
    cause: "an init container ended with an error",
    retryable: true,
    remedy: "see the init container's log",
    find: pod.initContainerFailed,
  },
  {
    reason: "BadSettings",
    cause: `the runner lacks a setting (exit code ${sessionExitCode.badSettings})`,
    retryable: false,
    remedy: "the log's last lines name the setting",
    find: pod.runnerExited(sessionExitCode.badSettings),
  },
  {
    reason: "RepositoryFailed",
    cause: `a repository or the workflow could not be cloned (exit code ${sessionExitCode.repositoryFailed})`,
    retryable: true,
    remedy: "check `repos` and `workflow`: address, branch, and the credentials in `secretRefs`",
    find: pod.runnerExited(sessionExitCode.repositoryFailed),
  },
  {
    reason: "McpServerFailed",
    cause: `a server of \`mcpServers\` could not be used (exit code ${sessionExitCode.mcpServerFailed})`,
    retryable: true,
    remedy:
      "the run's error names it: check its address, the credentials in `secretRefs`, and the network policies",
    find: pod.runnerExited(sessionExitCode.mcpServerFailed),
  },
  {
    reason: "TokenRefused",
    cause: `the edge did not take the run token (exit code ${sessionExitCode.tokenRefused})`,
    retryable: true,
    remedy: "check that the nodes' clocks and the edge agree",
    find: pod.runnerExited(sessionExitCode.tokenRefused),
  },
  {
    reason: "EdgeUnreachable",
    cause: `the runner could not reach the edge (exit code ${sessionExitCode.edgeUnreachable})`,
    retryable: true,
    remedy: "check `edge.url`, DNS and the network policies",
    find: pod.runnerExited(sessionExitCode.edgeUnreachable),
  },
  {
    reason: "RunnerExited",
    cause:
      "the runner ended without a word: another exit code, a signal, or 0 with the run still open",
    retryable: true,
    remedy: "see the last lines of its log in the message",
    find: pod.runnerExited("any"),
  },
  {
    reason: "PodFailed",
    cause: "the node refused the pod, or it failed for another reason before its runner ran",
    retryable: true,
    remedy: "the message has kubelet's words",
    find: pod.podFailed,
  },
  {
    reason: "QuotaExceeded",
    cause:
      "a ResourceQuota of the namespace leaves no room for the session's objects until the start deadline",
    retryable: true,
    remedy: "raise the quota, lower `resources`, or wait for other sessions",
    find: cluster.quotaExceeded,
  },
  {
    reason: "AdmissionDenied",
    cause: "the cluster's policies refuse the pod",
    retryable: false,
    remedy: "the message names the policy",
    find: cluster.admissionDenied,
  },
  {
    reason: "JobDeleted",
    cause: "somebody deleted the session's Job",
    retryable: true,
    remedy: "to stop a session, set `desiredState: Stopped` or delete the session",
    find: cluster.jobDeleted,
  },
  {
    reason: "PodDeleted",
    cause: "somebody deleted the session's pod",
    retryable: true,
    remedy: "to stop a session, set `desiredState: Stopped` or delete the session",
    find: pod.podDeleted,
  },
  {
    reason: "SecretDeleted",
    cause: "somebody deleted the Secret with the run token",
    retryable: true,
    remedy: "none: the next attempt gets its own",
    find: cluster.secretDeleted,
  },
  {
    reason: "VolumeNotBound",
    cause: "the volume claim found no volume until the start deadline",
    retryable: true,
    remedy: "check `storage.className` and the provisioner",
    find: cluster.volumeNotBound,
  },
  {
    reason: "Unschedulable",
    cause: "no node took the pod until the start deadline",
    retryable: true,
    remedy: "the scheduler's message says what is short",
    find: pod.unschedulable,
  },
  {
    reason: "VolumeNotMounted",
    cause: "a volume could not be attached or mounted until the start deadline",
    retryable: true,
    remedy: "kubelet's message names the volume",
    find: cluster.volumeNotMounted,
  },
  {
    reason: "NotConnected",
    cause: "the runner did not connect to the edge until the start deadline",
    retryable: true,
    remedy: "raise `startDeadlineSeconds`, or check the way from the pod to the edge",
    find: cluster.notConnected,
  },
  {
    reason: "Silent",
    cause:
      "the runner lives but the platform heard nothing of it, and gave the run to another attempt",
    retryable: true,
    remedy: "check the way from the pod to the edge",
    find: pod.silent,
  },
];

/** A check and what it found. */
export interface Found extends Finding {
  readonly check: Check;
}

/** Everything that the checks say of an attempt, in their order. */
export function runChecks(facts: Facts): readonly Found[] {
  const judged = awaitsClaim(facts) ? { ...facts, pod: undefined } : facts;
  return checks.flatMap((check) => {
    const finding = check.find(judged);
    return finding ? [{ ...finding, check }] : [];
  });
}
