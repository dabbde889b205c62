import { expect, it } from "vitest";
import { FakeClock, settle } from "../testing/fake-clock.ts";
import { makeWidget } from "../testing/make-object.ts";
import { ApiError } from "./api-error.ts";
import { EventRecorder, type EventFacts } from "./event-recorder.ts";

interface Stored {
  readonly metadata: { readonly name: string };
  readonly note?: string;
  readonly series?: { readonly count: number };
}

const refuse = (reason: "already_exists" | "unavailable") =>
  new ApiError({ status: 409, reason, message: reason });

function start() {
  const stored = new Map<string, Stored>();
  const clock = new FakeClock();
  const errors: unknown[] = [];
  let requests = 0;
  const state = { down: false };
  const api = {
    create: async (_kind: unknown, event: Stored) => {
      requests += 1;
      if (state.down) throw refuse("unavailable");
      if (stored.has(event.metadata.name)) throw refuse("already_exists");
      stored.set(event.metadata.name, { ...event, metadata: { ...event.metadata } });
    },
    get: async (_kind: unknown, ref: { name: string }) => stored.get(ref.name),
    patch: async (_kind: unknown, ref: { name: string }, patch: Partial<Stored>) => {
      requests += 1;
      const found = stored.get(ref.name);
      if (found) stored.set(ref.name, { ...found, ...patch, metadata: found.metadata });
    },
  } as never;
  const make = () =>
    new EventRecorder({
      api,
      controller: "test.dev/x",
      instance: "one",
      clock,
      aggregateMs: 30_000,
      burst: 3,
      refillMs: 60_000,
      onError: (error) => errors.push(error),
    });
  const counts = () => [...stored.values()].map(({ note, series }) => [note, series?.count ?? 1]);
  return { recorder: make(), make, clock, counts, errors, state, requests: () => requests };
}

const facts = (note: string): EventFacts => ({
  type: "Warning",
  reason: "Tested",
  action: "Test",
  note,
});

it("writes the first at once, counts the rest, and writes the count once", async () => {
  const { recorder, clock, counts, requests } = start();
  const about = makeWidget("a", 1);
  for (let i = 0; i < 1000; i += 1) {
    recorder.record(about, facts("x"));
    if (i === 0) await settle();
  }
  await settle();
  expect(counts()).toEqual([["x", 1]]);
  await clock.advance(30_000);
  expect(counts()).toEqual([["x", 1000]]);
  expect(requests()).toBe(2);
  expect(clock.timers).toBe(0);
});

it("goes on counting where another process was", async () => {
  const { make, counts } = start();
  for (let i = 0; i < 3; i += 1) {
    const recorder = make();
    recorder.record(makeWidget("a", i), facts("x"));
    await recorder.flush();
  }
  expect(counts()).toEqual([["x", 3]]);
});

it("lets one object tell only so many different things, and others as many", async () => {
  const { recorder, clock, counts } = start();
  for (let i = 0; i < 10; i += 1) recorder.record(makeWidget("a", 1), facts(`a${i}`));
  recorder.record(makeWidget("b", 1), facts("b"));
  await settle();
  expect(counts().map(([note]) => note)).toEqual(["a0", "a1", "a2", "b"]);
  expect(recorder.dropped).toBe(7);
  await clock.advance(60_000);
  recorder.record(makeWidget("a", 1), facts("later"));
  await recorder.flush();
  expect(counts().at(-1)).toEqual(["later", 1]);
});

it("never throws and goes on when the API is down", async () => {
  const { recorder, state, errors, counts } = start();
  state.down = true;
  recorder.record(makeWidget("a", 1), facts("lost"));
  await settle();
  expect(errors).toHaveLength(1);
  state.down = false;
  recorder.record(makeWidget("b", 1), facts("kept"));
  await recorder.flush();
  expect(counts()).toContainEqual(["kept", 1]);
});

it("cuts what is too long", async () => {
  const { recorder, counts } = start();
  recorder.record(makeWidget("n".repeat(253), 1), facts("é".repeat(3000)));
  await recorder.flush();
  expect(String(counts()[0]?.[0])).toHaveLength(1024);
});
