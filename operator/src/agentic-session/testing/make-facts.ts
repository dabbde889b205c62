import { AgenticSessionSpec, type SessionRun, sessionFinalizer } from "@millrace/contracts";
import type { Facts, Job, Pod, Secret } from "../facts.ts";
import { annotations } from "../resources/annotations.ts";
import type { Session } from "../session.ts";

export const runId = "01890000-0000-7000-8000-000000000001";
export const began = Date.parse("2026-01-01T00:00:00Z");
export const second = 1000;

export const at = (ms: number): string => new Date(ms).toISOString();

/** A session as it stands after it was accepted; `changes` go over its parts. */
export function makeSession(changes: {
  readonly spec?: Partial<AgenticSessionSpec>;
  readonly status?: Session["status"];
  readonly metadata?: Partial<Session["metadata"]>;
}): Session {
  return {
    apiVersion: "millrace.dev/v1alpha1",
    kind: "AgenticSession",
    metadata: {
      name: "fix",
      namespace: "team",
      uid: "5e000000-0000-4000-8000-000000000001",
      resourceVersion: "1",
      creationTimestamp: at(began),
      generation: 1,
      finalizers: [sessionFinalizer],
      ...changes.metadata,
    },
    spec: AgenticSessionSpec.parse({ prompt: "fix it", ...changes.spec }),
    ...(changes.status && { status: changes.status }),
  };
}

export function makeRun(changes: Partial<SessionRun> = {}): SessionRun {
  return {
    runId,
    projectId: "pool.default.x",
    version: 1,
    status: "dispatched",
    stopping: false,
    attempt: 1,
    failures: 0,
    maxAttempts: 3,
    startedAt: null,
    waitedMs: 0,
    waiting: null,
    completedAt: null,
    updatedAt: began,
    error: null,
    usage: null,
    costUsd: null,
    provider: null,
    model: null,
    archived: false,
    url: `/v1/runs/${runId}`,
    session: null,
    traceparent: null,
    ...changes,
  };
}

const meta = (name: string) => ({
  name,
  namespace: "team",
  uid: name,
  resourceVersion: "1",
  creationTimestamp: at(began),
});

export function makeSecret(notes: Readonly<Record<string, string>> = {}): Secret {
  const kept = { [annotations.runId]: runId, ...notes };
  return { apiVersion: "v1", kind: "Secret", metadata: { ...meta("fix-1"), annotations: kept } };
}

export function makeJob(status: Job["status"] = {}): Job {
  return { apiVersion: "batch/v1", kind: "Job", metadata: meta("fix-1"), status };
}

export function makePod(status: NonNullable<Pod["status"]>, nodeName = "node-1"): Pod {
  const spec = { containers: [], nodeName };
  return { apiVersion: "v1", kind: "Pod", metadata: meta("fix-1-abcde"), spec, status };
}

/** An attempt whose Job was made and whose pod is about to start. */
export function makeFacts(changes: Partial<Facts> = {}): Facts {
  return {
    now: began + 10 * second,
    session: makeSession({
      status: { runId, attempt: 1, phase: "Creating", podName: "fix-1-abcde" },
    }),
    attempt: 1,
    secret: makeSecret(),
    job: makeJob(),
    pod: makePod({ phase: "Pending" }),
    warmPod: undefined,
    stalePod: undefined,
    claim: undefined,
    warnings: [],
    secretProblem: undefined,
    isNamespaceTerminating: false,
    stopBy: undefined,
    run: makeRun(),
    others: [],
    acked: new Set(),
    logTail: undefined,
    logs: { kind: "nothing" },
    ...changes,
  };
}
