import {
  claim,
  ended,
  failed,
  pending,
  pod,
  type Recorded,
  running,
  scheduled,
  told,
  unplaced,
  waits,
} from "./pod-shapes.ts";
import { began, second } from "./make-facts.ts";

/** What goes wrong before the runner is connected: by hand from what kubelet, scheduler, controllers and API server of 1.36 write. */
export const startFailures: readonly Recorded[] = [
  {
    what: "no node has room",
    reason: "Unschedulable",
    isPatient: true,
    facts: pod(unplaced("0/3 nodes are available: 3 Insufficient memory. preemption: 0/3 nodes")),
  },
  {
    what: "the claim finds no volume",
    reason: "VolumeNotBound",
    isPatient: true,
    facts: {
      ...pod(unplaced("0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims")),
      claim,
    },
  },
  {
    what: "a volume is not mounted",
    reason: "VolumeNotMounted",
    isPatient: true,
    isAlive: true,
    facts: {
      ...pod(pending(waits("ContainerCreating"))),
      warnings: [
        {
          about: "pod",
          reason: "FailedMount",
          note: 'MountVolume.SetUp failed for volume "files"',
        },
      ],
    },
  },
  {
    what: "the image is not there",
    reason: "ImagePullFailed",
    isAlive: true,
    facts: pod(pending(waits("ErrImagePull", "failed to resolve reference: not found"))),
  },
  {
    what: "kubelet waits before it pulls again",
    reason: "ImagePullFailed",
    isAlive: true,
    facts: pod(pending(waits("ImagePullBackOff", 'Back-off pulling image "x"'))),
  },
  {
    what: "the image's name is none",
    reason: "InvalidImageName",
    isAlive: true,
    facts: pod(pending(waits("InvalidImageName", "couldn't parse image name"))),
  },
  {
    what: "a Secret of the container is not there",
    reason: "ContainerConfigError",
    isAlive: true,
    facts: pod(pending(waits("CreateContainerConfigError", 'secret "providers" not found'))),
  },
  {
    what: "an init container failed",
    reason: "InitContainerFailed",
    facts: pod(
      failed({
        containerStatuses: [waits("PodInitializing")],
        initContainerStatuses: [{ ...ended(4), name: "prepare" }],
      }),
    ),
  },
  {
    what: "a quota leaves no room",
    reason: "QuotaExceeded",
    isPatient: true,
    facts: told(
      "FailedCreate",
      'Error creating: pods "fix-1-x" is forbidden: exceeded quota: small, requested: pods=1',
    ),
  },
  {
    what: "Pod Security refuses the pod",
    reason: "AdmissionDenied",
    facts: told(
      "FailedCreate",
      'Error creating: pods "fix-1-x" is forbidden: violates PodSecurity "restricted:latest"',
    ),
  },
  {
    what: "its ServiceAccount is not there",
    reason: "AdmissionDenied",
    facts: told(
      "FailedCreate",
      'Error creating: pods "fix-1-x" is forbidden: error looking up service account team/builder: serviceaccount "builder" not found',
    ),
  },
  {
    what: "a webhook refuses the pod",
    reason: "AdmissionDenied",
    facts: told("FailedCreate", 'Error creating: admission webhook "p.example.com" denied it'),
  },
  {
    what: "the namespace goes before the pod",
    reason: "NamespaceTerminating",
    facts: told(
      "FailedCreate",
      "Error creating: pods is forbidden: unable to create new content in namespace team because it is being terminated",
    ),
  },
  {
    what: "a device plugin refuses the pod",
    reason: "PodFailed",
    facts: pod(failed({ reason: "UnexpectedAdmissionError", message: "Pod was rejected" })),
  },
  {
    what: "the node is full after all",
    reason: "PodFailed",
    facts: pod(
      failed({ reason: "OutOfcpu", message: "Pod was rejected: Node didn't have enough" }),
    ),
  },
  {
    what: "the node refuses what comes while it shuts down",
    reason: "NodeShutdown",
    facts: pod(failed({ reason: "NodeShutdown", message: "Pod was rejected as the node is" })),
  },
  {
    what: "the runner lacks a setting",
    reason: "BadSettings",
    facts: pod(failed({ containerStatuses: [ended(2)] })),
  },
  {
    what: "the runner does not connect",
    reason: "NotConnected",
    isPatient: true,
    isAlive: true,
    facts: pod({ phase: "Running", conditions: scheduled, containerStatuses: [running] }),
  },
];

/** The start deadline of an attempt that began at `began` has passed. */
export const pastStart = began + 601 * second;
