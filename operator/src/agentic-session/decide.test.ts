import { describe, expect, it } from "vitest";
import { decide } from "./decide.ts";
import type { Facts } from "./facts.ts";
import {
  began,
  makeFacts,
  makePod,
  makeRun,
  makeSecret,
  makeSession,
  runId,
  second,
} from "./testing/make-facts.ts";

const nothing = { job: undefined, pod: undefined, secret: undefined, attempt: 0, run: undefined };
const between = { attempt: 1, job: undefined, pod: undefined, secret: undefined };
const ended = { runId, attempt: 1, endedAttempt: 1 };
const note = (key: string, value: string) => makeSecret({ [`millrace.dev/${key}`]: value });

interface Row {
  readonly when: string;
  readonly facts: Partial<Facts>;
  readonly changes: readonly string[];
  readonly told: string;
}

const rows: readonly Row[] = [
  {
    when: "it is new",
    facts: { ...nothing, session: makeSession({ metadata: { finalizers: [] } }) },
    changes: ["add-finalizer", "create-run"],
    told: "Pending/Queued",
  },
  {
    when: "it was made for a run of the edge",
    facts: {
      ...nothing,
      session: makeSession({ metadata: { labels: { "millrace.dev/edge-run": runId } } }),
    },
    changes: [],
    told: "Pending/Accepted",
  },
  {
    when: "a Secret that it names is missing",
    facts: { ...nothing, session: makeSession({}), secretProblem: "Secret a is not there" },
    changes: [],
    told: "Pending/SecretMissing",
  },
  {
    when: "its run waits for its turn",
    facts: {
      ...nothing,
      session: makeSession({ status: { runId } }),
      run: makeRun({ status: "queued", attempt: 0 }),
    },
    changes: [],
    told: "Pending/Queued",
  },
  {
    when: "an attempt is asked for",
    facts: { session: makeSession({ status: { runId } }), job: undefined, pod: undefined },
    changes: ["start-attempt"],
    told: "Creating/Creating",
  },
  {
    when: "the attempt before still writes into the volume",
    facts: {
      session: makeSession({
        spec: { storage: { size: "1Gi", mode: "persistent" } },
        status: { runId },
      }),
      job: undefined,
      pod: undefined,
      others: [{ attempt: 0, podName: "old", isAlive: true, logs: { kind: "nothing" } }],
    },
    changes: ["clear-attempt"],
    told: "Pending/VolumeInUse",
  },
  {
    when: "its next attempt starts, with time left",
    facts: { run: makeRun({ startedAt: began }), session: makeSession({ status: { runId } }) },
    changes: ["start-attempt"],
    told: "Creating/Creating",
  },
  { when: "its pod starts", facts: {}, changes: [], told: "Creating/Starting" },
  {
    when: "its runner has claimed the run",
    facts: { run: makeRun({ status: "running", startedAt: began }) },
    changes: [],
    told: "Running/RunnerConnected",
  },
  {
    when: "it shall stop",
    facts: {
      session: makeSession({
        spec: { desiredState: "Stopped" },
        status: { runId, attempt: 1, podName: "fix-1-abcde" },
      }),
      run: makeRun({ status: "running" }),
    },
    changes: ["stop-run"],
    told: "Stopping/Stopping",
  },
  {
    when: "it is silent for too long",
    facts: {
      now: began + 61 * second,
      session: makeSession({
        spec: { inactivityTimeoutSeconds: 60 },
        status: { runId, attempt: 1, podName: "fix-1-abcde" },
      }),
      run: makeRun({ status: "running" }),
    },
    changes: ["stop-run"],
    told: "Stopping/Inactive",
  },
  {
    when: "it is paused and shall go on",
    facts: {
      ...between,
      session: makeSession({ status: { ...ended, reason: "Stopped", observedGeneration: 1 } }),
      run: makeRun({ status: "waiting" }),
    },
    changes: ["resume-run"],
    told: "Waiting/Resuming",
  },
  {
    when: "it was paused for its silence, and nobody asks for more",
    facts: {
      ...between,
      session: makeSession({ status: { ...ended, reason: "Inactive", observedGeneration: 1 } }),
      run: makeRun({ status: "waiting" }),
    },
    changes: [],
    told: "Stopped/Inactive",
  },
  {
    when: "it shall start anew",
    facts: {
      session: makeSession({
        spec: { restartToken: "b" },
        status: { runId, attempt: 1, podName: "fix-1-abcde", restartToken: "a" },
      }),
      run: makeRun({ status: "running" }),
    },
    changes: ["stop-run"],
    told: "Stopping/Restarting",
  },
  {
    when: "it has paused for a new start",
    facts: {
      ...between,
      session: makeSession({
        spec: { restartToken: "b" },
        status: { ...ended, reason: "Restarting", restartToken: "a" },
      }),
      run: makeRun({ status: "waiting" }),
    },
    changes: ["resume-run"],
    told: "Waiting/Resuming",
  },
  {
    when: "it has started anew",
    facts: {
      session: makeSession({
        spec: { restartToken: "b" },
        status: { runId, attempt: 1, podName: "fix-1-abcde", restartToken: "b" },
      }),
      run: makeRun({ status: "running", startedAt: began }),
    },
    changes: [],
    told: "Running/RunnerConnected",
  },
  {
    when: "the platform wants its pod dead",
    facts: { stopBy: "cancel", run: makeRun({ status: "cancelling" }) },
    changes: ["delete-pod"],
    told: "Stopping/Stopping",
  },
  {
    when: "its token is half over",
    facts: {
      secret: note("token-renew-at", new Date(began).toISOString()),
      run: makeRun({ status: "running", startedAt: began }),
    },
    changes: ["renew-token"],
    told: "Running/RunnerConnected",
  },
  {
    when: "its run has succeeded",
    facts: {
      pod: makePod({ phase: "Succeeded" }),
      run: makeRun({ status: "succeeded", completedAt: began }),
    },
    changes: ["clear-attempt"],
    told: "Completed/Succeeded",
  },
  {
    when: "its runner still stores the archive of a cancelled run",
    facts: {
      pod: makePod({ phase: "Running" }),
      run: makeRun({ status: "cancelled", completedAt: began }),
    },
    changes: [],
    told: "Stopped/Cancelled",
  },
  {
    when: "it is deleted",
    facts: {
      session: makeSession({
        metadata: { deletionTimestamp: new Date(began).toISOString() },
        status: { runId, attempt: 1 },
      }),
      run: makeRun({ status: "running" }),
    },
    changes: ["cancel-run"],
    told: "Stopping/Deleting",
  },
  {
    when: "its deletion has taken too long",
    facts: {
      now: began + 121 * second,
      session: makeSession({
        metadata: { deletionTimestamp: new Date(began).toISOString() },
        status: { runId, attempt: 1 },
      }),
    },
    changes: ["tell", "remove-finalizer"],
    told: "Stopping/Deleting",
  },
];

describe("what is decided for a session", () => {
  it.each(rows)("when $when", ({ facts, changes, told }) => {
    const plan = decide(makeFacts(facts));
    expect(plan.changes.map(({ kind }) => kind)).toEqual(changes);
    expect(`${plan.status.phase}/${plan.status.reason}`).toBe(told);
  });

  it("stores a failure's report first, and takes nothing away yet", () => {
    const containerStatuses = [
      {
        name: "runner",
        image: "x",
        imageID: "x",
        ready: false,
        restartCount: 0,
        state: { terminated: { exitCode: 137, reason: "OOMKilled" } },
      },
    ];
    const pod = makePod({ phase: "Failed", containerStatuses });
    const plan = decide(makeFacts({ pod, run: makeRun({ status: "running" }) }));
    expect(plan.changes).toEqual([]);
    expect(plan.status).toMatchObject({ reason: "OutOfMemory", endedAttempt: 1 });
    expect(plan.status.reports).toHaveLength(1);
    const session = makeSession({ status: plan.status });
    const next = decide(makeFacts({ pod, session, run: makeRun({ status: "running" }) }));
    expect(next.changes.map(({ kind }) => kind)).toEqual(["clear-attempt"]);
    expect(next.status.reports).toEqual(plan.status.reports);
    const keys = new Set(plan.status.reports?.map(({ key }) => key));
    expect(decide(makeFacts({ pod, session, acked: keys })).status.reports).toBeUndefined();
  });

  it("restarts once per token: what it has paused for is written down before it goes on", () => {
    const session = makeSession({
      spec: { restartToken: "b" },
      status: { ...ended, restartToken: "a" },
    });
    const statusWith = (status: "running" | "waiting") =>
      decide(makeFacts({ session, ...between, run: makeRun({ status }) })).status.restartToken;
    expect([statusWith("running"), statusWith("waiting")]).toEqual(["a", "b"]);
  });

  it("says what it leaves behind when a deletion takes too long", () => {
    const deletionTimestamp = new Date(began).toISOString();
    const session = makeSession({ metadata: { deletionTimestamp }, status: { runId, attempt: 1 } });
    const pod = makePod({ phase: "Running" });
    const facts = { now: began + 121 * second, session, pod, run: makeRun({ status: "running" }) };
    const { changes, requeue } = decide(makeFacts(facts));
    expect(changes[0]).toEqual({
      kind: "tell",
      type: "Warning",
      reason: "LeftBehind",
      note: `Deleted after 120 s with this left: run ${runId} may be open; pod fix-1-abcde may be running`,
    });
    expect(requeue).toEqual({ kind: "settled" });
  });

  it("looks again at the moment of the next deadline, and not before", () => {
    const plan = decide(makeFacts());
    expect(plan.requeue).toEqual({ kind: "at", at: began + 600 * second });
  });

  it("says of an attempt that handed its run back nothing", () => {
    const run = makeRun({ status: "queued" });
    const pod = makePod({ phase: "Failed" });
    const plan = decide(makeFacts({ run, pod }));
    expect(plan.status.reports).toBeUndefined();
    expect(plan.status).toMatchObject({ endedAttempt: 1, reason: "Requeued" });
  });
});
