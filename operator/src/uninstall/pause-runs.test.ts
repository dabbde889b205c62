import { type SessionRun, makeLogger } from "@millrace/contracts";
import { expect, it } from "vitest";
import { makeRun, makeSession, runId, second } from "../agentic-session/testing/make-facts.ts";
import type { EdgeAnswer } from "../edge/edge-answer.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { decideLastStatus } from "./let-go.ts";
import { pauseRuns } from "./pause-runs.ts";

type Answer = EdgeAnswer<SessionRun>;
const is = (changes: Partial<SessionRun>): Answer => ({ ok: true, value: makeRun(changes) });
const refused = (code: string): Answer => ({ ok: false, code, message: code });

const open = makeSession({ status: { runId, attempt: 1, phase: "Running" } });
const { uid } = open.metadata;
const log = makeLogger({ secrets: [], write: () => undefined });

/** What is said of one session's run, and how it was asked; the last answer is given for ever. */
async function pause(session: typeof open, answers: readonly Answer[]) {
  const clock = new FakeClock();
  const asked: string[] = [];
  const edge = {
    act: async (act: string) => {
      asked.push(act);
      return answers[Math.min(asked.length, answers.length) - 1] ?? refused("unreachable");
    },
  };
  const { signal } = new AbortController();
  const paused = pauseRuns([session], { edge, log, clock, until: 60 * second, signal });
  for (let i = 0; i < 70; i += 1) await clock.advance(second);
  return { end: (await paused).get(uid), asked };
}

it.each<readonly [string, readonly Answer[], string, number]>([
  ["is paused at once", [is({ status: "waiting" })], "waits", 1],
  ["is queued, and nobody is left to start it", [is({ status: "queued" })], "waits", 1],
  [
    "pauses after its step",
    [is({ status: "running" }), is({ status: "running" }), is({ status: "waiting" })],
    "waits",
    3,
  ],
  ["ends meanwhile", [is({ status: "running" }), is({ status: "succeeded" })], "over", 2],
  ["is unknown to the edge", [refused("not_found")], "over", 1],
  ["is out of reach", [refused("unreachable")], "unknown", 3],
  [
    "is out of reach for a moment",
    [refused("unreachable"), refused("unreachable"), is({ status: "waiting" })],
    "waits",
    3,
  ],
])("asks until a run %s", async (_, answers, end, times) => {
  expect(await pause(open, answers)).toEqual({
    end,
    asked: Array.from({ length: times }, () => "stop"),
  });
});

it("gives up at its time on a run that never pauses", async () => {
  const { end, asked } = await pause(open, [is({ status: "running" })]);
  expect(end).toBe("unknown");
  expect(asked.length).toBeGreaterThan(10);
});

it("cancels the run of a session that is being deleted", async () => {
  const deletionTimestamp = "2026-01-01T00:00:00Z";
  const session = { ...open, metadata: { ...open.metadata, deletionTimestamp } };
  expect(await pause(session, [is({ status: "cancelled" })])).toEqual({
    end: "over",
    asked: ["cancel"],
  });
});

it("asks nothing about a session without an open run", async () => {
  const done = makeSession({ status: { runId, completionTime: "2026-01-01T00:00:00Z" } });
  expect(await pause(done, [])).toEqual({ end: "over", asked: [] });
  expect(await pause(makeSession({}), [])).toEqual({ end: "none", asked: [] });
});

it("says what stays true without an operator", () => {
  const paused = decideLastStatus(open, "waits");
  expect(paused).toMatchObject({ phase: "Stopped", reason: "Uninstalled", endedAttempt: 1, runId });
  // What became of its attempt is for the next operator to find out: the platform may still expect it.
  const lost = decideLastStatus(open, "unknown");
  expect(lost).toMatchObject({ phase: "Stopped", reason: "Uninstalled" });
  expect(lost).not.toHaveProperty("endedAttempt");
  const stopped = makeSession({ status: { runId, phase: "Stopped", reason: "Inactive" } });
  for (const [session, end] of [
    [stopped, "waits"],
    [open, "over"],
    [makeSession({}), "none"],
  ] as const) {
    expect(decideLastStatus(session, end)).toBeUndefined();
  }
});
