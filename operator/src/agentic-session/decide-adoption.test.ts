import { describe, expect, it } from "vitest";
import { decide } from "./decide.ts";
import type { Facts, Pod } from "./facts.ts";
import { annotations } from "./resources/annotations.ts";
import {
  began,
  makeFacts,
  makeJob,
  makePod,
  makeRun,
  makeSecret,
  makeSession,
  runId,
  second,
} from "./testing/make-facts.ts";

const warmPod = "warm-1";
const secret = makeSecret({ [annotations.warmPod]: warmPod });
/** The platform says that a warm pod has the attempt. */
const taken = { secret, warmPod, job: undefined, pod: undefined };
const adopted = {
  ...taken,
  session: makeSession({
    status: { runId, attempt: 1, phase: "Creating", warmPod, podName: warmPod },
  }),
};
const running = makeRun({ status: "running", startedAt: began });
const executes = { ...adopted, pod: makePod({ phase: "Running" }), run: running };
const ended = (exitCode: number, reason: string): Pod =>
  makePod({
    phase: "Failed",
    containerStatuses: [
      {
        name: "runner",
        image: "x",
        imageID: "x",
        ready: false,
        restartCount: 0,
        state: { terminated: { exitCode, reason, finishedAt: new Date(began).toISOString() } },
      },
    ],
  });

interface Row {
  readonly when: string;
  readonly facts: Partial<Facts>;
  readonly changes: readonly string[];
  readonly told: string;
}

const rows: readonly Row[] = [
  {
    when: "a warm pod has taken the run",
    facts: { ...taken, session: makeSession({ status: { runId } }) },
    changes: ["adopt-pod"],
    told: "Creating/Adopted",
  },
  {
    when: "the session was just made for it",
    facts: { ...taken, session: makeSession({ metadata: { finalizers: [] } }), run: undefined },
    changes: ["add-finalizer", "adopt-pod"],
    told: "Creating/Adopted",
  },
  {
    when: "the run is over before the pod is adopted",
    facts: {
      ...taken,
      session: makeSession({ status: { runId } }),
      run: makeRun({ status: "succeeded", completedAt: began }),
    },
    changes: ["adopt-pod"],
    told: "Creating/Adopted",
  },
  {
    when: "the platform wants the attempt ended before the pod is adopted",
    facts: { ...taken, session: makeSession({ status: { runId } }), stopBy: "cancel" },
    changes: ["adopt-pod"],
    told: "Creating/Adopted",
  },
  {
    when: "the session is deleted before the pod is adopted",
    facts: {
      ...taken,
      session: makeSession({
        metadata: { deletionTimestamp: new Date(began).toISOString() },
        status: { runId },
      }),
    },
    changes: ["adopt-pod"],
    told: "Creating/Adopted",
  },
  {
    when: "a Job was made for the attempt that a warm pod has now",
    facts: { ...taken, job: makeJob() },
    changes: ["delete-job", "adopt-pod"],
    told: "Creating/Adopted",
  },
  { when: "it executes", facts: executes, changes: [], told: "Running/RunnerConnected" },
  {
    when: "its token is half over, which it gets from the platform itself",
    facts: {
      ...executes,
      secret: makeSecret({
        [annotations.warmPod]: warmPod,
        [annotations.tokenRenewAt]: new Date(began).toISOString(),
      }),
    },
    changes: [],
    told: "Running/RunnerConnected",
  },
  {
    when: "its pod is gone before the claim",
    facts: adopted,
    changes: [],
    told: "Creating/Starting",
  },
  {
    when: "its pod died before the claim",
    facts: { ...adopted, pod: ended(1, "Error") },
    changes: [],
    told: "Creating/Starting",
  },
  {
    when: "the platform gives the attempt to a pod of its own, and the warm one lives",
    facts: {
      ...adopted,
      secret: makeSecret(),
      warmPod: undefined,
      stalePod: makePod({ phase: "Running" }),
    },
    changes: ["delete-pod"],
    told: "Creating/WarmPodReplaced",
  },
  {
    when: "the platform gives the attempt to a pod of its own, and the warm one is gone",
    facts: { ...adopted, secret: makeSecret(), warmPod: undefined },
    changes: ["start-attempt"],
    told: "Creating/Creating",
  },
  {
    when: "the platform gives the attempt to another warm pod",
    facts: { ...adopted, warmPod: "warm-2", stalePod: makePod({ phase: "Running" }) },
    changes: ["delete-pod", "adopt-pod"],
    told: "Creating/Adopted",
  },
  {
    when: "the platform wants its pod dead",
    facts: { ...executes, stopBy: "cancel", run: makeRun({ status: "cancelling" }) },
    changes: ["delete-pod"],
    told: "Stopping/Stopping",
  },
  {
    when: "its run has succeeded",
    facts: {
      ...executes,
      pod: makePod({ phase: "Succeeded" }),
      run: makeRun({ status: "succeeded", completedAt: began }),
    },
    changes: ["clear-attempt"],
    told: "Completed/Succeeded",
  },
];

describe("what is decided for a session with a warm pod", () => {
  it.each(rows)("when $when", ({ facts, changes, told }) => {
    const plan = decide(makeFacts(facts));
    expect(plan.changes.map(({ kind }) => kind)).toEqual(changes);
    expect(`${plan.status.phase}/${plan.status.reason}`).toBe(told);
    expect(plan.status.reports).toBeUndefined();
  });

  it("names the pod before it is seen, and no other once the attempt is another's", () => {
    const first = decide(makeFacts({ ...taken, session: makeSession({ status: { runId } }) }));
    expect(first.status).toMatchObject({ attempt: 1, warmPod, podName: warmPod });
    const cold = decide(makeFacts({ ...adopted, secret: makeSecret(), warmPod: undefined }));
    expect(cold.status).not.toHaveProperty("warmPod");
    expect(cold.status).not.toHaveProperty("podName");
  });

  it.each<readonly [string, Partial<Facts>]>([
    ["OutOfMemory", { pod: ended(137, "OOMKilled") }],
    ["RunnerExited", { pod: ended(1, "Error") }],
    ["Evicted", { pod: makePod({ phase: "Failed", reason: "Evicted" }) }],
    ["NodeLost", { pod: makePod({ phase: "Unknown" }) }],
    ["PodDeleted", { pod: undefined }],
    ["SecretDeleted", { secret: undefined }],
    ["DeadlineExceeded", { run: makeRun({ status: "running", startedAt: 0 }) }],
    ["NotConnected", { run: makeRun(), pod: undefined, now: began + 601 * second }],
  ])("reports %s as of any other pod", (reason, facts) => {
    const plan = decide(makeFacts({ ...executes, ...facts }));
    expect(plan.status).toMatchObject({ reason, endedAttempt: 1 });
    expect(plan.status.reports).toHaveLength(1);
  });
});
