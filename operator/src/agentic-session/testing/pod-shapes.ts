import type { Facts, Pod } from "../facts.ts";
import { makeJob, makePod, makeSession, runId } from "./make-facts.ts";

type Status = NonNullable<Pod["status"]>;
type ContainerStatus = NonNullable<Status["containerStatuses"]>[number];
type Condition = NonNullable<Status["conditions"]>[number];

/** One way to fail as Kubernetes writes it. */
export interface Recorded {
  readonly what: string;
  readonly reason: string;
  readonly facts: Partial<Facts>;
  /** The API server or kubelet may mend it until the start deadline. */
  readonly isPatient?: true;
  /** Something of the attempt may execute after it. */
  readonly isAlive?: true;
}

const started = "2026-01-01T00:00:02Z";
export const finished = "2026-01-01T00:00:08Z";

function container(state: ContainerStatus["state"], more: Partial<ContainerStatus> = {}) {
  const image = "registry.example.com/millrace/runner:1";
  const one = { name: "runner", image, imageID: "", ready: false, restartCount: 0, ...more };
  return state === undefined ? one : { ...one, state };
}
export const ended = (exitCode: number, reason = exitCode === 0 ? "Completed" : "Error") =>
  container({
    terminated: { exitCode, reason, startedAt: started, finishedAt: finished, containerID: "c" },
  });
export const running = container(
  { running: { startedAt: started } },
  { ready: true, started: true },
);
export const waits = (reason: string, message?: string) =>
  container({ waiting: { reason, ...(message !== undefined && { message }) } });

export const is = (type: string, more: Partial<Condition> = {}): Condition => ({
  lastTransitionTime: started,
  type,
  status: "True",
  ...more,
});
export const scheduled = [is("PodScheduled"), is("Initialized")];
export const target = (reason: string, message: string) =>
  is("DisruptionTarget", { reason, message });

export const pod = (status: Status): { readonly pod: Pod } => ({ pod: makePod(status) });
export const leaving = (status: Status): { readonly pod: Pod } => {
  const { metadata, ...rest } = makePod(status);
  return { pod: { ...rest, metadata: { ...metadata, deletionTimestamp: finished } } };
};
export const pending = (...containerStatuses: ContainerStatus[]): Status => ({
  phase: "Pending",
  conditions: [...scheduled, is("Ready", { status: "False", reason: "ContainersNotReady" })],
  containerStatuses,
});
export const failed = (more: Status): Status => ({
  phase: "Failed",
  conditions: scheduled,
  ...more,
});
export const unplaced = (message: string): Status => ({
  phase: "Pending",
  conditions: [is("PodScheduled", { status: "False", reason: "Unschedulable", message })],
});
export const told = (
  reason: string,
  note: string,
): Pick<Facts, "pod" | "session" | "warnings"> => ({
  pod: undefined,
  session: makeSession({ status: { runId, attempt: 1, phase: "Creating" } }),
  warnings: [{ about: "job", reason, note }],
});
export const claim = {
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: makeJob().metadata,
  status: { phase: "Pending" },
} as const;
const sidecar = { name: "proxy", image: "proxy:1", restartPolicy: "Always" };
export const withSidecar = (status: Status): { readonly pod: Pod } => {
  const made = makePod(status);
  return { pod: { ...made, spec: { ...made.spec, containers: [], initContainers: [sidecar] } } };
};
