import { isTerminal, type NewEvent } from "@millrace/contracts";
import * as fc from "fast-check";
import { describe, expect } from "vitest";
import { property } from "../testing/property.ts";
import { decideCancel, decideCancelAck } from "./decide-cancel.ts";
import { decideClaim } from "./decide-claim.ts";
import { decideDispatch, decideStartDeadline } from "./decide-dispatch.ts";
import { waitsOf, type StageWait } from "./decide-due.ts";
import { decideInput } from "./decide-input.ts";
import { decideExpiry, renewedLease, type Lease } from "./decide-expiry.ts";
import { decideOutcome, type AttemptEnd } from "./decide-outcome.ts";
import { decideResume, decideStop } from "./decide-pause.ts";
import { decideSessionReport, type SessionNews } from "./decide-session-report.ts";
import { nothingInterrupted } from "./open-constructs.ts";
import { createdState, runnerOf, type Change, type RunState, type Stage } from "./state.ts";
import { readTimings } from "./timings.ts";

const timings = readTimings({});
const maxAttempts = 3;

/** What the world does to a run. The object's guards stand in `decide`, as they stand around each decider. */
type Input =
  | { readonly kind: "dispatch" | "cancel" | "start_deadline" | "expire" | "force" }
  | { readonly kind: "stop" | "resume" | "cancel_ack" }
  | { readonly kind: "input"; readonly content: string | null }
  | { readonly kind: "session"; readonly what: SessionNews["kind"]; readonly behind: number }
  | { readonly kind: "claim"; readonly runnerId: string; readonly behind: number }
  | { readonly kind: "outcome"; readonly end: AttemptEnd; readonly jitter: number }
  | { readonly kind: "wait"; readonly ms: number };

const ends: readonly AttemptEnd[] = [
  { kind: "succeeded", output: "done" },
  { kind: "failed", code: "provider_error", error: "x", retryable: true },
  { kind: "failed", code: "provider_rejected", error: "x", retryable: false },
  { kind: "cancelled" },
  { kind: "released", reason: "drain" },
  { kind: "released", reason: "stopped" },
  { kind: "awaiting", question: "Q", heard: 1 },
  { kind: "awaiting", question: null, heard: 2 },
];

const inputs: fc.Arbitrary<Input> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Input>({ kind: "dispatch" }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("claim" as const),
      runnerId: fc.constantFrom("a", "b"),
      behind: fc.constantFrom(0, 0, 0, 1, -1),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("outcome" as const),
      end: fc.constantFrom(...ends),
      jitter: fc.double({ min: 0, max: 0.999, noNaN: true }),
    }),
  },
  fc.constantFrom<Input>({ kind: "cancel" }, { kind: "start_deadline" }, { kind: "force" }),
  { weight: 2, arbitrary: fc.constant<Input>({ kind: "expire" }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Input>(
      { kind: "stop" },
      { kind: "resume" },
      { kind: "resume" },
      { kind: "cancel_ack" },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Input>(
      { kind: "input", content: "a" },
      { kind: "input", content: "b" },
      { kind: "input", content: null },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("session" as const),
      what: fc.constantFrom<SessionNews["kind"]>("start_failed", "ended", "stopped"),
      behind: fc.constantFrom(0, 0, 1),
    }),
  },
  fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 60_000 }) }),
);

interface World {
  readonly now: number;
  readonly state: RunState;
  readonly lease: Lease | null;
  readonly events: readonly NewEvent[];
}

const newWorld: World = { now: 1_000_000, state: createdState(1_000_000), lease: null, events: [] };

function play(world: World, input: Input): World {
  if (input.kind === "wait") return { ...world, now: world.now + input.ms };
  if (input.kind === "expire") return expire(world);
  if (input.kind === "cancel_ack") {
    return { ...world, state: decideCancelAck(world.state) ?? world.state };
  }
  const change = byUser(world, input) ?? decide(world, input);
  if (change === null) return world;
  const { state, events } = change;
  const held = runnerOf(state.stage) !== null;
  const lease = held ? (world.lease ?? renewedLease(world.now, timings.leaseMs)) : null;
  return { ...world, state, lease, events: [...world.events, ...events] };
}

function decide(world: World, input: Input): Change | null {
  const { state, now } = world;
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- `play` has answered the others
  switch (input.kind) {
    case "dispatch":
      return decideDispatch(state, now);
    case "cancel":
      return decideCancel(state, { by: "u", now, forceMs: timings.cancelForceMs, ackMs: 5_000 });
    case "session":
      return report(state, now, input);
    case "start_deadline":
      return decideStartDeadline(state, maxAttempts, now);
    case "claim":
      return claim(world, input);
    case "force":
      return force(state, now);
    case "outcome":
      return outcome(world, input);
  }
  return null;
}

function byUser({ state, now }: World, input: Input): Change | null {
  if (input.kind === "stop") return decideStop(state, { now, answerMs: timings.stopAnswerMs });
  if (input.kind === "resume") return decideResume(state, "u", now);
  if (input.kind !== "input") return null;
  const { content } = input;
  const decision = decideInput(state, { content, by: "u", keepOpen: true, now });
  return decision.ok ? decision.change : null;
}

function claim(
  { state, now, events }: World,
  { runnerId, behind }: Extract<Input, { kind: "claim" }>,
): Change | null {
  const attempt = state.attempt - behind;
  const asked = { attempt, runnerId, maxAttempts, nextSeq: events.length + 1, now };
  const decision = decideClaim(state, asked);
  return decision.kind === "first" ? decision.change : null;
}

function force(state: RunState, now: number): Change | null {
  const isDue = waitsOf(state.stage, timings).has("cancel_force");
  return isDue ? end(state, now, { kind: "cancel_unanswered" }) : null;
}

function outcome({ state, now }: World, input: Extract<Input, { kind: "outcome" }>): Change | null {
  return runnerOf(state.stage) === null ? null : end(state, now, input.end, input.jitter);
}

function report(
  state: RunState,
  now: number,
  { what, behind }: Extract<Input, { kind: "session" }>,
): Change | null {
  const facts = { reason: "Evicted", message: "x", retryable: true };
  const attempt = state.attempt - behind;
  const how = decideSessionReport(state, { ...facts, attempt, kind: what });
  return how && end(state, now, how);
}

function end(state: RunState, now: number, how: AttemptEnd, jitter = 0): Change {
  const { lateArchiveMs } = timings;
  const interrupted = nothingInterrupted;
  return decideOutcome(state, { end: how, maxAttempts, lateArchiveMs, interrupted, now, jitter });
}

/** The alarm at the lease's end. */
function expire(world: World): World {
  if (world.lease === null) return world;
  const now = Math.max(world.now, world.lease.until);
  const decision = decideExpiry(world.lease, now, timings.leaseGraceMs);
  if (decision.kind === "graced") return { ...world, now, lease: decision.lease };
  expect(decision.kind).toBe("expired");
  const { state, events } = end(world.state, now, { kind: "lease_expired" });
  return { now, state, lease: null, events: [...world.events, ...events] };
}

function history(script: readonly Input[]): readonly World[] {
  const worlds = [newWorld];
  for (const input of script) worlds.push(play(worlds.at(-1) ?? newWorld, input));
  return worlds;
}

const scripts = fc.array(inputs, { maxLength: 40, size: "max" });
const steps = (worlds: readonly World[]) =>
  worlds.slice(1).map((after, i) => ({ before: worlds[i] ?? newWorld, after }));
const typesOf = ({ events }: World) => events.map(({ type }) => type);

/** Every open stage in which nobody is at work has a wait that gets it out of there. */
const waits: Readonly<Record<Stage["kind"], readonly StageWait[]>> = {
  created: [],
  queued: ["backoff"],
  dispatched: ["dispatch", "start_deadline"],
  running: [],
  cancelling: ["cancel_force"],
  stopping: ["session_stop"],
  // Until somebody resumes it: a pause has no end of its own.
  waiting: [],
  over: [],
};

describe("a run's life, whatever happens to it", () => {
  property("has at most one terminal event, and it is the last", scripts, (script) => {
    for (const world of history(script)) {
      const types = typesOf(world);
      const at = types.findIndex((type) => isTerminal(type));
      expect(at === -1 || at === types.length - 1).toBe(true);
      const { stage } = world.state;
      expect(at !== -1).toBe(stage.kind === "over");
      if (stage.kind === "over") expect(types.at(-1)).toBe(`run.${stage.outcome}`);
    }
  });

  property("never changes after its end", scripts, (script) => {
    for (const { before, after } of steps(history(script))) {
      if (before.state.stage.kind === "over") expect(after.state).toEqual(before.state);
    }
  });

  property("leads from cancelling to cancelled only", scripts, (script) => {
    for (const { before, after } of steps(history(script))) {
      const { stage } = after.state;
      if (before.state.stage.kind === "cancelling" && stage.kind !== "cancelling") {
        expect(stage).toMatchObject({ kind: "over", outcome: "cancelled" });
      }
      const asked = typesOf(after).includes("run.cancelling");
      if (asked && stage.kind === "over") expect(stage.outcome).toBe("cancelled");
    }
  });

  property("counts attempts up, one at a time, and only at dispatch", scripts, (script) => {
    for (const { before, after } of steps(history(script))) {
      const more = after.state.attempt - before.state.attempt;
      const wasDispatched =
        before.state.stage.kind !== "dispatched" && after.state.stage.kind === "dispatched";
      expect(more).toBe(wasDispatched ? 1 : 0);
    }
  });

  property("stays within its budget of failures, and tells each", scripts, (script) => {
    for (const { before, after } of steps(history(script))) {
      const { failures, stage } = after.state;
      expect(failures - before.state.failures).toBeOneOf([0, 1]);
      const told = typesOf(after).filter((type) => type.endsWith("failed"));
      expect(told).toHaveLength(failures);
      expect(failures).toBeLessThanOrEqual(maxAttempts);
      if (failures === maxAttempts) expect(stage).toMatchObject({ kind: "over" });
    }
  });

  property(
    "starts each attempt once, and no attempt that was not dispatched",
    scripts,
    (script) => {
      const { state, events } = history(script).at(-1) ?? newWorld;
      const started = events.flatMap((event) =>
        event.type === "run.started" ? [event.data.attempt] : [],
      );
      expect(started).toEqual([...new Set(started)].toSorted((a, b) => a - b));
      expect(Math.max(0, ...started)).toBeLessThanOrEqual(state.attempt);
    },
  );

  property("waits for what its stage says, never in the past", scripts, (script) => {
    for (const { before, after } of steps(history(script))) {
      const { stage } = after.state;
      const due = waitsOf(stage, timings);
      const isUnacked = stage.kind === "cancelling" && stage.stopAt !== null;
      const expected = [...waits[stage.kind], ...(isUnacked ? ["session_stop"] : [])];
      expect([...due.keys()]).toEqual(expected);
      // Somebody is at work under a lease, or nobody is and there is none.
      expect(after.lease !== null).toBe(runnerOf(stage) !== null);
      if (stage === before.state.stage) continue;
      for (const at of due.values()) expect(at).toBeGreaterThanOrEqual(after.now);
    }
  });

  property("never waits for what it was told already", scripts, (script) => {
    for (const { state } of history(script)) {
      expect(state.heard).toBeLessThanOrEqual(state.inputs);
      const isAsking = state.stage.kind === "waiting" && !state.stage.paused;
      if (isAsking) expect(state.heard).toBe(state.inputs);
    }
  });

  property("backs off after failures, at most 30 s, and not after a release", scripts, (script) => {
    for (const { before, after } of steps(history(script))) {
      const { stage, failures } = after.state;
      if (stage.kind !== "queued" || stage === before.state.stage) continue;
      const backoffMs = stage.readyAt - after.now;
      if (failures === before.state.failures) expect(backoffMs).toBe(0);
      else expect(backoffMs).toBeGreaterThan(0);
      expect(backoffMs).toBeLessThanOrEqual(30_000);
    }
  });

  property("ends, if its alarms go on", scripts, (script) => {
    let world = history(script).at(-1) ?? newWorld;
    for (let turn = 0; turn < 100 && world.state.stage.kind !== "over"; turn += 1) {
      const { stage } = world.state;
      if (stage.kind === "created" || stage.kind === "queued") {
        world = play(world, { kind: "dispatch" });
      } else if (stage.kind === "waiting") {
        world = play(world, { kind: stage.paused ? "resume" : "cancel" });
      } else if (stage.kind === "dispatched") {
        world = play(world, { kind: "start_deadline" });
      } else world = play(world, { kind: "expire" });
    }
    expect(world.state.stage.kind).toBe("over");
  });
});
