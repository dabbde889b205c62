import { describe, expect, it } from "vitest";
import type { Facts } from "./facts.ts";
import { makeStatus, type Told } from "./make-status.ts";
import {
  at,
  began,
  makeFacts,
  makePod,
  makeRun,
  makeSession,
  runId,
  second,
} from "./testing/make-facts.ts";
import { claim, running, scheduled, unplaced } from "./testing/pod-shapes.ts";

const creating: Told = { phase: "Creating", reason: "PodPending", message: "The pod is pending" };
const executing: Told = { phase: "Running", reason: "RunnerConnected", message: "It runs" };
const persistent = { size: "1Gi", mode: "persistent" } as const;

const runs = makePod({ phase: "Running", conditions: scheduled, containerStatuses: [running] });
const run = makeRun({
  status: "running",
  startedAt: began + 3 * second,
  updatedAt: began + 9.5 * second,
  model: "gpt-5",
  usage: { inputTokens: 7, outputTokens: null, totalTokens: 9 },
});
const short = (ms: number) => at(ms).replace(".000", "");

/** Type, status, reason and message of each condition. */
const conditionsOf = (facts: Partial<Facts>, told = creating) =>
  makeStatus(makeFacts(facts), told).conditions?.map(
    ({ type, status, reason, message }) => `${type} ${status} ${reason}: ${message}`,
  );

describe("what a session says of itself", () => {
  it("is where and since when it executes, and what it has used", () => {
    const status = makeStatus(makeFacts({ pod: runs, run }), executing);
    expect(status).toMatchObject({
      ...executing,
      observedGeneration: 1,
      runId,
      attempt: 1,
      podName: "fix-1-abcde",
      nodeName: "node-1",
      url: run.url,
      model: "gpt-5",
      startTime: short(began + 3 * second),
      lastActivityTime: short(began + 9 * second),
      usage: { inputTokens: 7, totalTokens: 9 },
    });
    expect(status).not.toHaveProperty("completionTime");
  });

  it("is when it ended, with the pod that it had", () => {
    const completedAt = began + 20 * second;
    const before = { runId, attempt: 1, podName: "fix-1-abcde", nodeName: "node-1" };
    const facts = makeFacts({
      pod: undefined,
      session: makeSession({ status: before }),
      run: { ...run, status: "succeeded", completedAt },
    });
    const told: Told = { phase: "Completed", reason: "Succeeded", message: "The run succeeded" };
    expect(makeStatus(facts, told)).toMatchObject({
      ...before,
      completionTime: short(completedAt),
    });
  });

  it("is not where an earlier attempt was", () => {
    const session = makeSession({
      status: { runId, attempt: 1, podName: "fix-1-abcde", nodeName: "node-1" },
    });
    const status = makeStatus(makeFacts({ session, attempt: 2, pod: undefined }), creating);
    expect([status.podName, status.nodeName]).toEqual([undefined, undefined]);
  });
});

describe("a session's conditions", () => {
  it("are true while it executes, but for what comes at its end", () => {
    expect(conditionsOf({ pod: runs, run }, executing)).toEqual([
      "SecretsReady True Found: Every named Secret is there",
      "VolumeReady True Ephemeral: Comes with the pod",
      "PodScheduled True Scheduled: On node node-1",
      "RunnerConnected True Claimed: Attempt 1 executes the run",
      "Retained Unknown NotOver: Logs are kept when a pod ends",
      "Ready True RunnerConnected: It runs",
    ]);
  });

  it("name the Secret, the volume, the node and the runner that are not there", () => {
    const message = "0/1 nodes are available: 1 Insufficient cpu.";
    const conditions = conditionsOf({
      session: makeSession({ spec: { storage: persistent }, status: { runId, attempt: 1 } }),
      secretProblem: "Secret keys is not there",
      claim,
      pod: makePod(unplaced(message)),
    });
    expect(conditions).toEqual([
      "SecretsReady False SecretMissing: Secret keys is not there",
      "VolumeReady False NotBound: The volume claim waits for a volume",
      `PodScheduled False Unschedulable: ${message}`,
      "RunnerConnected False NotConnected: No runner executes the run",
      "Retained Unknown NotOver: Logs are kept when a pod ends",
      "Ready False PodPending: The pod is pending",
    ]);
  });

  it("say that a volume is bound, and nothing of one that was not looked at", () => {
    const session = makeSession({ spec: { storage: persistent }, status: { runId, attempt: 1 } });
    const bound = { ...claim, status: { phase: "Bound" } };
    expect(conditionsOf({ session, claim: bound })).toContain(
      "VolumeReady True Bound: The volume is bound",
    );
    expect(conditionsOf({ session })?.join()).not.toContain("VolumeReady");
  });

  it("keep the time of their last change when nothing has changed", () => {
    const first = makeStatus(makeFacts({ pod: runs, run }), executing);
    const session = makeSession({ status: first });
    const later = { now: began + 60 * second, session, pod: runs, run };
    expect(makeStatus(makeFacts(later), executing).conditions).toEqual(first.conditions);
  });
});
