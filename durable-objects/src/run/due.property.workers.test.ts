import { runInDurableObject } from "cloudflare:test";
import { isOver } from "@millrace/contracts";
import { runMigrations } from "@millrace/migrations";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { applyMigrations } from "../migrate.ts";
import { makeSpec, runOf } from "../testing/test-run.ts";
import { Alarm } from "../log/alarm.ts";
import { decideCancel } from "./decide-cancel.ts";
import { decideClaim } from "./decide-claim.ts";
import { retryDelay, waitsOf, type DueItem, type DueKey } from "./decide-due.ts";
import { renewedLease } from "./decide-expiry.ts";
import { webhookKey } from "./decide-webhook.ts";
import type { Draft } from "./draft.ts";
import { loadMemory } from "./memory.ts";
import { RunRecord } from "./run-record.ts";
import { runnerOf, statusOf, versionOf, type RunState } from "./state.ts";
import { RunStore } from "./store.ts";
import { readTimings } from "./timings.ts";

const seed = 20_261_121;
const timings = readTimings({});
/** So far ahead that no alarm fires while a test looks. */
const start = Date.now() + 60 * 60_000;

const Changes = [
  "dispatch",
  "claim",
  "succeed",
  "fail",
  "release",
  "cancel",
  "unanswered",
  "touch",
] as const;
type Input =
  | { readonly kind: "change"; readonly what: (typeof Changes)[number] }
  /** An effect of some time ago comes to its end, well or not. */
  | { readonly kind: "seen" | "confirm" | "postpone"; readonly what: DueKey };

const owed = fc.constantFrom<DueKey>("report", "index", "dispatch");
const inputs: fc.Arbitrary<Input> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("change" as const),
      what: fc.constantFrom(...Changes),
    }),
  },
  fc.record({
    kind: fc.constantFrom("seen" as const, "confirm" as const, "postpone" as const),
    what: owed,
  }),
);

function change(draft: Draft, what: (typeof Changes)[number]): void {
  const { state, now } = draft;
  if (what === "dispatch") draft.dispatch();
  if (what === "claim") claim(draft);
  if (what === "touch") draft.state = { ...state, updatedAt: now };
  if (what === "cancel") {
    const cancelled = decideCancel(state, {
      by: "u",
      now,
      forceMs: timings.cancelForceMs,
      ackMs: null,
    });
    if (cancelled !== null) draft.apply(cancelled);
  }
  if (runnerOf(state.stage) !== null) endAttempt(draft, what);
}

function endAttempt(draft: Draft, what: (typeof Changes)[number]): void {
  if (what === "succeed") draft.endAttempt({ kind: "succeeded", output: "x" }, 0);
  if (what === "release") draft.endAttempt({ kind: "released", reason: "drain" }, 0);
  if (what === "unanswered") draft.endAttempt({ kind: "cancel_unanswered" }, 0);
  if (what === "fail") {
    draft.endAttempt({ kind: "failed", code: "provider_error", error: "x", retryable: true }, 0.5);
  }
}

function claim(draft: Draft): void {
  const { state, now } = draft;
  const asked = {
    attempt: state.attempt,
    runnerId: "a",
    maxAttempts: 3,
    nextSeq: draft.tail + 1,
    now,
  };
  const decision = decideClaim(state, asked);
  if (decision.kind === "first") draft.apply(decision.change);
  if (decision.kind !== "refused") draft.lease = renewedLease(now, timings.leaseMs);
}

/** What readers of the run are told; that a runner was asked for is not. */
function newsOf({ stage }: RunState): string {
  return stage.kind === "dispatched" ? "queued" : statusOf(stage);
}

async function play(storage: DurableObjectStorage, script: readonly Input[]): Promise<void> {
  await storage.deleteAll();
  applyMigrations(storage, runMigrations);
  const store = new RunStore(storage);
  const alarm = new Alarm(storage, null);
  const loaded = { spec: makeSpec(), memory: loadMemory(store, start) };
  const record = new RunRecord(loaded, { store, alarm, timings }, () => {});
  const promises = new Map<DueKey, number>();
  const seen = new Map<DueKey, DueItem>();
  for (const [i, input] of script.entries()) {
    const now = start + i;
    if (input.kind === "change") {
      for (const [what, mark] of commit(record, store, input.what, now)) promises.set(what, mark);
    } else effect(store, input, { promises, seen, now });
    check(store, record, promises);
  }
  const next = store.nextDue();
  const alarmAt = await storage.getAlarm();
  expect(next === null || (alarmAt !== null && alarmAt <= next)).toBe(true);
}

/** Commits a change; answers what it makes the run owe. */
function commit(
  record: RunRecord,
  store: RunStore,
  what: (typeof Changes)[number],
  now: number,
): readonly (readonly [DueKey, number])[] {
  const { state } = record;
  const before = store.due("dispatch");
  const draft = record.draft(now);
  change(draft, what);
  record.commit(draft);
  // A wait that goes on keeps what its tries have come to.
  const kept = state.stage === record.state.stage ? before : store.due("dispatch");
  expect(store.due("dispatch")).toEqual(kept);
  if (newsOf(state) === newsOf(record.state)) return [];
  const mark = versionOf(record.state, record.tail);
  const told = statusOf(record.state.stage);
  return [
    ["report", mark],
    ["index", mark],
    ...(isOver(told)
      ? ([
          [webhookKey(record.tail.seq, `run.${told}`), now],
          ["archive", 0],
        ] as const)
      : []),
  ];
}

/** As the outbox does it: the row as it was when the effect began is confirmed, or put off. */
function effect(
  store: RunStore,
  { kind, what }: Exclude<Input, { kind: "change" }>,
  model: { promises: Map<DueKey, number>; seen: Map<DueKey, DueItem>; now: number },
): void {
  const item = kind === "confirm" ? model.seen.get(what) : store.due(what);
  if (!item) return;
  if (kind === "seen") model.seen.set(what, item);
  if (kind === "postpone") {
    store.saveDue({
      ...item,
      at: model.now + retryDelay(what, item.tries + 1),
      tries: item.tries + 1,
    });
  }
  if (kind !== "confirm" || what === "dispatch") return;
  store.confirmDue(item);
  if (model.promises.get(what) === item.mark) model.promises.delete(what);
}

function check(store: RunStore, record: RunRecord, promises: ReadonlyMap<DueKey, number>): void {
  const rows = store.dueBy(Number.MAX_SAFE_INTEGER);
  const expected: DueKey[] = [...waitsOf(record.state.stage, timings).keys(), ...promises.keys()];
  if (record.memory.lease !== null) expected.push("lease");
  expect(rows.map(({ what }) => what).toSorted()).toEqual(expected.toSorted());
  for (const [what, mark] of promises) expect(store.due(what)?.mark).toBe(mark);
}

// oxlint-disable-next-line vitest/expect-expect -- `play` expects
it(`forgets nothing that it owes, and waits for nothing else (seed ${seed})`, async () => {
  await runInDurableObject(runOf(makeSpec()), async (_, { storage }) => {
    const scripts = fc.array(inputs, { maxLength: 25, size: "max" });
    const holds = fc.asyncProperty(scripts, (script) => play(storage, script));
    await fc.assert(holds, { seed, numRuns: 150 });
  });
});
