import { describe, expect, it } from "vitest";
import type { Keeping } from "../session-logs/keeping.ts";
import { decide } from "./decide.ts";
import type { Facts } from "./facts.ts";
import { began, makeFacts, makePod, makeRun, makeSession, runId } from "./testing/make-facts.ts";

const running = { phase: "Running" } as const;
const over = { phase: "Failed" } as const;
const unread: Keeping = { kind: "unread" };
const pending: Keeping = { kind: "pending" };
const kept: Keeping = { kind: "kept", containers: 1, bytes: 3 };
const lost: Keeping = { kind: "lost", what: "runner: 404" };
const ended = { runId, attempt: 1, endedAttempt: 1, podName: "fix-1-abcde" };
const queued = makeRun({ status: "queued" });
const cancelled = makeRun({ status: "cancelled", completedAt: began });
const going = (pod: ReturnType<typeof makePod>) => ({
  ...pod,
  metadata: { ...pod.metadata, deletionTimestamp: "2026-01-01T00:00:09Z" },
});
const deleted = makeSession({
  status: { ...ended, endedAttempt: 0 },
  metadata: { deletionTimestamp: "2026-01-01T00:00:05Z" },
});
const between = { session: makeSession({ status: ended }), run: queued };

const rows: readonly {
  readonly when: string;
  readonly facts: Partial<Facts>;
  readonly changes: readonly string[];
}[] = [
  {
    when: "a failed attempt's pod is over",
    facts: { ...between, pod: makePod(over), logs: unread },
    changes: ["keep-logs"],
  },
  {
    when: "its logs are on their way",
    facts: { ...between, pod: makePod(over), logs: pending },
    changes: [],
  },
  {
    when: "they have arrived",
    facts: { ...between, pod: makePod(over), logs: kept },
    changes: ["clear-attempt"],
  },
  {
    when: "they will not",
    facts: { ...between, pod: makePod(over), logs: lost },
    changes: ["clear-attempt"],
  },
  {
    when: "a failed attempt's pod lives",
    facts: { ...between, pod: makePod(running), logs: unread },
    changes: ["keep-logs", "delete-pod"],
  },
  {
    when: "a failed attempt's pod is on its way out, and followed",
    facts: { ...between, pod: going(makePod(running)), logs: pending },
    changes: [],
  },
  {
    when: "the followed pod is gone, and its log still on its way",
    facts: { ...between, pod: undefined, logs: pending },
    changes: [],
  },
  {
    when: "somebody deletes the pod of a run that executes",
    facts: {
      session: makeSession({ status: { ...ended, endedAttempt: 0 } }),
      run: makeRun({ status: "running" }),
      pod: going(makePod(running)),
      logs: unread,
    },
    changes: ["keep-logs"],
  },
  {
    when: "the platform has it stopped",
    facts: {
      session: makeSession({ status: { ...ended, endedAttempt: 0 } }),
      run: makeRun({ status: "cancelling" }),
      pod: makePod(running),
      stopBy: "cancel",
      logs: unread,
    },
    changes: ["keep-logs", "delete-pod"],
  },
  {
    when: "an earlier attempt left a pod",
    facts: {
      run: makeRun({ status: "dispatched" }),
      others: [{ attempt: 0, podName: "old", isAlive: false, logs: unread }],
    },
    changes: ["keep-logs"],
  },
  {
    when: "a deleted session's logs are on their way",
    facts: { session: deleted, run: cancelled, pod: makePod(over), logs: pending },
    changes: [],
  },
  {
    when: "a deleted session's logs have arrived",
    facts: { session: deleted, run: cancelled, pod: makePod(over), logs: kept },
    changes: ["clear-attempt", "revoke-tokens", "remove-finalizer"],
  },
  {
    when: "they never arrived, and the deletion's time is over",
    facts: {
      session: deleted,
      run: cancelled,
      pod: makePod(over),
      logs: pending,
      now: began + 200_000,
    },
    changes: ["tell", "remove-finalizer"],
  },
];

describe("what is decided about logs when", () => {
  it.each(rows)("$when", ({ facts, changes }) => {
    const plan = decide(makeFacts(facts));
    expect(plan.changes.map(({ kind }) => kind)).toEqual(changes);
    expect(plan.changes.filter(({ kind }) => kind === "keep-logs").length).toBeLessThan(2);
  });

  it("a deletion goes on without logs, it says so", () => {
    const facts = { session: deleted, run: cancelled, pod: makePod(over), logs: pending };
    const { changes, requeue } = decide(makeFacts({ ...facts, now: began + 200_000 }));
    expect(changes[0]).toMatchObject({ note: expect.stringContaining("logs of attempt 1") });
    expect(requeue).toEqual({ kind: "settled" });
    expect(decide(makeFacts(facts)).requeue.kind).toBe("at");
  });
});

const retained = (facts: Partial<Facts>) =>
  decide(makeFacts(facts)).status.conditions?.find(({ type }) => type === "Retained");

describe("the condition Retained", () => {
  it("is Unknown until logs are kept, then True", () => {
    const facts = { ...between, pod: makePod(over) };
    expect(retained({ ...facts, logs: unread })?.status).toBe("Unknown");
    expect(retained({ ...facts, logs: kept })?.status).toBe("True");
  });

  it("is False with the reason, and stays so", () => {
    const conditions = [retained({ ...between, pod: makePod(over), logs: lost })].flatMap(
      (one) => one ?? [],
    );
    expect(conditions).toMatchObject([{ status: "False", message: "Attempt 1: runner: 404" }]);
    const session = makeSession({ status: { ...ended, conditions } });
    expect(retained({ ...between, session, logs: kept })).toMatchObject({
      status: "False",
      message: "Attempt 1: runner: 404",
    });
  });

  it("says it of a pod that was gone before anybody read its log", () => {
    const session = makeSession({ status: { ...ended, endedAttempt: 0 } });
    expect(
      retained({ session, run: makeRun({ status: "running" }), pod: undefined })?.message,
    ).toContain("was gone before its logs were read");
  });

  it("is True where none are wanted", () => {
    const session = makeSession({
      spec: { retention: { logs: 0, workspace: "Delete" } },
      status: ended,
    });
    expect(retained({ session, run: queued })).toMatchObject({
      status: "True",
      reason: "NotWanted",
    });
  });
});
