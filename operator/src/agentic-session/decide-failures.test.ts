import { describe, expect, it } from "vitest";
import { decide } from "./decide.ts";
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
import type { Recorded } from "./testing/pod-shapes.ts";
import { runFailures } from "./testing/recorded-failures.ts";
import { pastStart, startFailures } from "./testing/recorded-start-failures.ts";
import { checks } from "./checks.ts";
import type { Facts } from "./facts.ts";
import { readPending } from "./make-report.ts";

const status = { runId, attempt: 1, podName: "fix-1-abcde" };
const executes = makeRun({ status: "running", startedAt: began });
const cancelled = makeRun({ status: "cancelling", startedAt: began });
const deletionTimestamp = new Date(began).toISOString();

/** Where a session is when it happens. */
const phases: Readonly<Record<string, Partial<Facts>>> = {
  Creating: { run: makeRun() },
  Running: { run: executes },
  "Stopping for a pause": {
    run: { ...executes, stopping: true },
    session: makeSession({ spec: { desiredState: "Stopped" }, status }),
  },
  "Stopping for a cancel": { run: cancelled },
};

const recordedFailures = [...startFailures, ...runFailures];
const rowsOf = (phase: string) => (phase === "Creating" ? recordedFailures : runFailures);

function factsOf({ facts, isPatient }: Recorded, phase: Partial<Facts> = {}): Facts {
  return makeFacts({ ...(isPatient && { now: pastStart }), ...phase, ...facts });
}

const reportOf = (facts: Facts) => {
  const [pending] = decide(facts).status.reports ?? [];
  return pending && readPending(pending);
};

/** Nothing of its pod executes any more, or ever did. */
const isOver = ({ facts: { pod }, isAlive }: Recorded): boolean =>
  pod === undefined || (isAlive !== true && pod.status?.phase !== "Pending");

describe.each(Object.entries(phases))("what goes wrong in phase %s", (name, phase) => {
  it.each(rowsOf(name))("$what: $reason is reported, once, and ends the attempt", (row) => {
    const facts = factsOf(row, phase);
    const kind = name === "Creating" ? "start_failed" : "ended";
    const check = checks.find(({ reason }) => reason === row.reason);
    expect(reportOf(facts)).toMatchObject({
      runId,
      attempt: 1,
      kind,
      reason: row.reason,
      retryable: check?.retryable,
    });
    const plan = decide(facts);
    expect(plan.status).toMatchObject({ reason: row.reason, endedAttempt: 1 });
    const again = decide({ ...facts, session: makeSession({ status: plan.status }) });
    expect(again.status.reports).toEqual(plan.status.reports);
    const ends = again.changes.filter(({ kind: change }) => change === "clear-attempt");
    expect(ends).toHaveLength(facts.job || facts.pod || facts.secret ? 1 : 0);
  });
});

describe("what goes wrong before its time has come", () => {
  it.each(recordedFailures.filter(({ isPatient }) => isPatient))(
    "$what: the status says so, and the deadline is waited for",
    (row) => {
      const plan = decide(makeFacts(row.facts));
      expect(plan.status.reports).toBeUndefined();
      const isBound = row.reason === "NotConnected";
      expect(plan.status.reason).toBe(isBound ? "Starting" : row.reason);
      expect(plan.requeue).toEqual({ kind: "at", at: began + 600 * second });
    },
  );
});

describe("what goes wrong while the platform has it stopped", () => {
  const stopBy = "cancel";
  // Without the Secret nobody knows of the wish; the platform's own deadline ends the run then.
  const rows = recordedFailures.filter(({ reason }) => reason !== "SecretDeleted");

  it.each(rows)("$what: the end is told as what it is, or waited for", (row) => {
    const facts = factsOf(row, { run: cancelled, stopBy });
    const isDead = facts.pod ? isOver(row) : facts.job === undefined;
    expect(reportOf(facts)?.kind).toBe(isDead ? "stopped" : undefined);
    expect(decide(facts).status.endedAttempt).toBe(isDead ? 1 : undefined);
  });
});

describe("what goes wrong while the session is deleted", () => {
  const session = makeSession({ metadata: { deletionTimestamp }, status });

  const rows = recordedFailures.map((row) => ({ ...row, of: { session, run: cancelled } }));
  const now = began + second;
  it.each(rows.filter(isOver))("$what: the run's end does not wait for it", ({ facts, of }) => {
    const all = makeFacts({ ...facts, ...of, now });
    expect(reportOf(all)).toMatchObject({ kind: "stopped", attempt: 1 });
    const over = decide({ ...all, run: makeRun({ status: "cancelled", completedAt: began }) });
    expect(over.changes.at(-1)).toEqual({ kind: "remove-finalizer" });
  });

  it.each(rows.filter((row) => !isOver(row)))("$what: its pod is ended first", ({ facts, of }) => {
    const all = makeFacts({ ...facts, ...of, now, stopBy: "cancel" });
    const isLeaving = all.pod?.metadata.deletionTimestamp !== undefined;
    const kinds = decide(all).changes.map(({ kind }) => kind);
    expect(kinds).toEqual(isLeaving ? [] : ["delete-pod"]);
    expect(decide(all).requeue).toEqual({ kind: "at", at: began + 120 * second });
  });

  it("says when its namespace goes with it", () => {
    const plan = decide(makeFacts({ session, run: cancelled, isNamespaceTerminating: true }));
    expect(plan.status).toMatchObject({ reason: "NamespaceTerminating" });
  });
});

describe("a runner of which the platform hears nothing", () => {
  const pod = makePod({
    phase: "Running",
    containerStatuses: [
      {
        name: "runner",
        image: "x",
        imageID: "x",
        ready: true,
        restartCount: 0,
        state: { running: {} },
      },
    ],
  });
  const facts = makeFacts({
    pod,
    stopBy: "fence",
    secret: makeSecret(),
    run: makeRun({ status: "queued", failures: 1 }),
  });

  it("is ended, and the session says why until the next attempt", () => {
    const first = decide(facts);
    expect(first.changes.map(({ kind }) => kind)).toEqual(["delete-pod"]);
    expect(first.status).toMatchObject({ phase: "Pending", reason: "Silent" });
    const session = makeSession({ status: first.status });
    const then = decide({ ...facts, session, pod: undefined, job: undefined });
    expect(then.status).toMatchObject({ phase: "Pending", reason: "Silent", endedAttempt: 1 });
    const gone = {
      ...facts,
      session: makeSession({ status: then.status }),
      pod: undefined,
      job: undefined,
    };
    expect(decide(gone).status).toMatchObject({ phase: "Pending", reason: "Silent" });
  });
});
