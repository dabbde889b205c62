import * as fc from "fast-check";
import { describe, expect } from "vitest";
import { property } from "../testing/property.ts";
import { decideCreate } from "./decide-create.ts";
import { decideNext, silenceMs, type NextDecision } from "./decide-next.ts";

type Input =
  | { readonly kind: "create"; readonly key: string; readonly fingerprint: string }
  /** The run that was created as number `place` is over: its report came. */
  | { readonly kind: "over" | "heard"; readonly place: number };

const place = fc.integer({ min: 0, max: 5 });
const inputs: fc.Arbitrary<Input> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("create" as const),
      key: fc.constantFrom("k1", "k2", "k3", "k4", "k5", "k6"),
      fingerprint: fc.constantFrom("f", "f", "f", "g"),
    }),
  },
  fc.record({ kind: fc.constantFrom("over" as const, "heard" as const), place }),
);

interface Run {
  readonly runId: string;
  readonly runIndex: number;
  readonly parentRunId: string | null;
  readonly key: string;
  readonly fingerprint: string;
  readonly over: boolean;
  readonly releasedAt: number | null;
  readonly heardAt: number;
}

interface Thread {
  readonly now: number;
  readonly runs: readonly Run[];
  readonly next: NextDecision;
}

const emptyThread: Thread = { now: 1, runs: [], next: { kind: "idle" } };

function play(thread: Thread, input: Input): Thread {
  const now = thread.now + 1;
  if (input.kind === "create") return moveOn(create(thread.runs, input, now), now);
  const told = thread.runs.map((run, i) =>
    i === input.place && run.releasedAt !== null
      ? { ...run, heardAt: now, over: run.over || input.kind === "over" }
      : run,
  );
  return moveOn(told, now);
}

function create(runs: readonly Run[], input: Input & { kind: "create" }, now: number) {
  const { key, fingerprint } = input;
  const sameKey = runs.find((run) => run.key === key) ?? null;
  const decision = decideCreate({ sameKey, latest: runs.at(-1) ?? null, full: null }, fingerprint);
  if (decision.kind !== "create") {
    expect(decision.kind).toBe(sameKey?.fingerprint === fingerprint ? "known" : "mismatch");
    return runs;
  }
  const { runIndex, parentRunId } = decision;
  const run = { runId: `r${now}`, runIndex, parentRunId, key, fingerprint };
  return [...runs, { ...run, over: false, releasedAt: null, heardAt: now }];
}

/** What the thread does after every change: the run whose turn it is goes. It sees the first two open runs only. */
function moveOn(runs: readonly Run[], now: number): Thread {
  const next = decideNext(openOf(runs).slice(0, 2));
  if (next.kind !== "release") return { now, runs, next };
  const released = runs.map((run) =>
    run.runId === next.runId ? { ...run, releasedAt: now, heardAt: now } : run,
  );
  return { now, runs: released, next };
}

const openOf = (runs: readonly Run[]) => runs.filter((run) => !run.over);
const scripts = fc.array(inputs, { maxLength: 40, size: "max" });

function history(script: readonly Input[]): readonly Thread[] {
  const threads = [emptyThread];
  for (const input of script) threads.push(play(threads.at(-1) ?? emptyThread, input));
  return threads;
}

describe("a thread's runs, whatever is asked for and heard", () => {
  property("have one run per key, and a place each without a gap", scripts, (script) => {
    const { runs } = history(script).at(-1) ?? emptyThread;
    expect(new Set(runs.map(({ key }) => key)).size).toBe(runs.length);
    for (const [i, run] of runs.entries()) {
      expect(run.runIndex).toBe(i + 1);
      expect(run.parentRunId).toBe(runs[i - 1]?.runId ?? null);
    }
  });

  property("execute one after another, in order", scripts, (script) => {
    for (const { runs } of history(script)) {
      const executing = runs.filter((run) => run.releasedAt !== null && !run.over);
      expect(executing.length).toBeLessThanOrEqual(1);
      for (const run of executing) {
        expect(runs.filter((other) => other.runIndex < run.runIndex)).not.toContainEqual(
          expect.objectContaining({ over: false }),
        );
      }
    }
  });

  property("never all wait", scripts, (script) => {
    for (const { runs } of history(script)) {
      const [first] = openOf(runs);
      if (first) expect(first.releasedAt).not.toBeNull();
    }
  });

  property("are asked about when they are silent and others wait", scripts, (script) => {
    for (const { runs, next } of history(script)) {
      const [first, second] = openOf(runs);
      if (!first || !second || next.kind === "release") continue;
      expect(next).toEqual({ kind: "ask", runId: first.runId, at: first.heardAt + silenceMs });
    }
  });
});
