import { describe, expect, it } from "vitest";
import { decide } from "./decide.ts";
import type { Facts } from "./facts.ts";
import {
  began,
  makeFacts,
  makePod,
  makeRun,
  makeSession,
  runId,
  second,
} from "./testing/make-facts.ts";

const between = { attempt: 1, job: undefined, pod: undefined, secret: undefined };
const ended = { runId, attempt: 1, endedAttempt: 1 };
const asking = { reason: "question", question: "Which one?", since: began } as const;
const said = (id: string) => ({ id, content: "This." });

interface Row {
  readonly when: string;
  readonly facts: Partial<Facts>;
  readonly changes: readonly string[];
  readonly told: string;
}

const rows: readonly Row[] = [
  {
    when: "its run asks something, and its pod is about to end",
    facts: {
      session: makeSession({ status: { runId, attempt: 1, podName: "fix-1-abcde" } }),
      pod: makePod({ phase: "Running" }),
      run: makeRun({ status: "waiting", waiting: asking }),
    },
    changes: ["delete-pod"],
    told: "Waiting/Question",
  },
  {
    when: "its run asks something",
    facts: {
      ...between,
      session: makeSession({ status: ended }),
      run: makeRun({ status: "waiting", waiting: asking }),
    },
    changes: [],
    told: "Waiting/Question",
  },
  {
    when: "its run asks something, and the answer stands in the spec",
    facts: {
      ...between,
      session: makeSession({
        spec: { interactive: true, messages: [said("a"), said("b"), said("c")] },
        status: { ...ended, sentMessages: ["a"] },
      }),
      run: makeRun({ status: "waiting", waiting: asking }),
    },
    changes: ["send-messages"],
    told: "Waiting/Question",
  },
  {
    when: "its run has not asked what the spec answers",
    facts: {
      session: makeSession({
        spec: { interactive: true, messages: [said("a")] },
        status: { runId, attempt: 1, podName: "fix-1-abcde" },
      }),
      run: makeRun({ status: "running", startedAt: began }),
    },
    changes: [],
    told: "Running/RunnerConnected",
  },
  {
    when: "it is kept open, and told something while it runs",
    facts: {
      session: makeSession({
        spec: { stopOnRunFinished: false, messages: [said("a")] },
        status: { runId, attempt: 1, podName: "fix-1-abcde" },
      }),
      run: makeRun({ status: "running", startedAt: began }),
    },
    changes: ["send-messages"],
    told: "Running/RunnerConnected",
  },
  {
    when: "its run goes on, and nobody knows by which message",
    facts: {
      ...between,
      session: makeSession({
        spec: { interactive: true, messages: [said("a")] },
        status: { ...ended, phase: "Waiting", reason: "Question" },
      }),
      run: makeRun({ status: "queued", attempt: 1 }),
    },
    changes: ["send-messages"],
    told: "Pending/Queued",
  },
  {
    when: "its turn is over",
    facts: {
      ...between,
      session: makeSession({ status: ended }),
      run: makeRun({ status: "waiting", waiting: { ...asking, reason: "input", question: null } }),
    },
    changes: [],
    told: "Waiting/TurnOver",
  },
  {
    when: "nobody has answered for too long",
    facts: {
      ...between,
      now: began + 61 * second,
      session: makeSession({ spec: { inactivityTimeoutSeconds: 60 }, status: ended }),
      run: makeRun({ status: "waiting", waiting: asking }),
    },
    changes: [],
    told: "Stopped/Inactive",
  },
  {
    when: "it was answered after all",
    facts: {
      ...between,
      session: makeSession({ status: { ...ended, phase: "Stopped", reason: "Inactive" } }),
      run: makeRun({ status: "queued", attempt: 1 }),
    },
    changes: [],
    told: "Pending/Queued",
  },
  {
    when: "it shall stop while its run asks something",
    facts: {
      ...between,
      session: makeSession({ spec: { desiredState: "Stopped" }, status: ended }),
      run: makeRun({ status: "waiting", waiting: asking }),
    },
    changes: ["stop-run"],
    told: "Waiting/Question",
  },
  {
    when: "it is stopped with an open question",
    facts: {
      ...between,
      session: makeSession({ spec: { desiredState: "Stopped" }, status: ended }),
      run: makeRun({ status: "waiting", waiting: { ...asking, reason: "stopped" } }),
    },
    changes: [],
    told: "Stopped/Stopped",
  },
];

describe("what is decided for a session whose run waits for its user", () => {
  it.each(rows)("when $when", ({ facts, changes, told }) => {
    const plan = decide(makeFacts(facts));
    expect(plan.changes.map(({ kind }) => kind)).toEqual(changes);
    expect(`${plan.status.phase}/${plan.status.reason}`).toBe(told);
  });

  it("sends the next answer alone, and of a session that is kept open everything", () => {
    const messages = [said("a"), said("b"), said("c")];
    const status = { ...ended, sentMessages: ["a"] };
    const run = makeRun({ status: "waiting", waiting: asking });
    for (const [stopOnRunFinished, expected] of [
      [true, [said("b")]],
      [false, [said("b"), said("c")]],
    ] as const) {
      const session = makeSession({ spec: { stopOnRunFinished, messages }, status });
      const { changes } = decide(makeFacts({ ...between, session, run }));
      expect(changes).toEqual([{ kind: "send-messages", runId, messages: expected }]);
    }
  });

  it("looks again when nobody will have answered for too long", () => {
    const session = makeSession({ spec: { inactivityTimeoutSeconds: 60 }, status: ended });
    const run = makeRun({ status: "waiting", waiting: asking });
    const { requeue } = decide(makeFacts({ ...between, session, run }));
    expect(requeue).toEqual({ kind: "at", at: began + 60 * second });
  });
});
