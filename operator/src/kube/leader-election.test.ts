import { expect, it } from "vitest";
import { FakeClock, settle } from "../testing/fake-clock.ts";
import { type Clock } from "./clock.ts";
import { type LeaseRecord, decideLease, observeLease } from "./decide-lease.ts";
import { LeaderElection, type Leadership, LeadershipLost } from "./leader-election.ts";
import type { LeaseStore, LeaseWrite } from "./lease-store.ts";

/** One Lease with the API server's compare-and-swap; `cut` takes the network away. */
class FakeLease {
  record: LeaseRecord | undefined;
  readonly writes: string[] = [];
  #version = 0;

  connect(): { readonly store: LeaseStore; cut: "no" | "fails" | "hangs" } {
    const line = { cut: "no" as "no" | "fails" | "hangs" };
    const pass = async (signal: AbortSignal): Promise<void> => {
      if (line.cut === "fails") throw new Error("cut");
      if (line.cut === "hangs") {
        await new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(new Error("aborted")));
        });
      }
    };
    const store: LeaseStore = {
      read: async (signal) => {
        await pass(signal);
        return this.record;
      },
      create: async (write, signal) => {
        await pass(signal);
        return this.record ? "lost_race" : this.#put(write);
      },
      update: async (over, write, signal) => {
        await pass(signal);
        return this.record?.version === over ? this.#put(write) : "lost_race";
      },
    };
    return Object.assign(line, { store });
  }

  #put(write: LeaseWrite): LeaseRecord {
    this.#version += 1;
    this.writes.push(write.holder);
    this.record = { ...write, version: String(this.#version) };
    return this.record;
  }
}

function join(lease: FakeLease, identity: string, clock: Clock) {
  const line = lease.connect();
  const stop = new AbortController();
  const log: string[] = [];
  let current: Leadership | undefined;
  const election = new LeaderElection({
    store: line.store,
    identity,
    leaseMs: 15_000,
    renewDeadlineMs: 10_000,
    retryMs: 2000,
    clock,
  });
  const running = election.run(async (leadership) => {
    current = leadership;
    log.push(`leads ${leadership.term}`);
    await new Promise((resolve) => leadership.signal.addEventListener("abort", resolve));
    log.push(`stops ${clock.monotonic()}`);
  }, stop.signal);
  const assertHeld = () => current?.assertHeld();
  const end = async () => {
    stop.abort();
    await running;
  };
  return { line, log, election, assertHeld, stop, running, end };
}

it("has one leader, which stays one as long as it renews", async () => {
  const lease = new FakeLease();
  const clock = new FakeClock();
  const a = join(lease, "a", clock);
  const b = join(lease, "b", clock);
  await clock.advance(120_000);
  expect([a.log, b.log]).toEqual([["leads 0"], []]);
  expect(a.election.isLeader).toBe(true);
  expect(lease.writes.every((holder) => holder === "a")).toBe(true);
  await a.end();
  await b.end();
});

it.each(["fails", "hangs"] as const)(
  "a leader whose network %s stops before the other may begin",
  async (cut) => {
    const lease = new FakeLease();
    const clock = new FakeClock();
    const a = join(lease, "a", clock);
    const b = join(lease, "b", clock);
    await clock.advance(20_000);
    a.line.cut = cut;
    const began = clock.monotonic();
    await clock.advance(40_000);
    const stopped = Number(a.log[1]?.split(" ")[1]);
    expect(stopped - began).toBeLessThanOrEqual(10_000);
    expect(b.log).toEqual(["leads 1"]);
    a.line.cut = "no";
    await clock.advance(5000);
    expect(a.log).toHaveLength(2);
    await a.end();
    await b.end();
  },
);

it("waits out the whole lease by its own clock, whatever the times of others are", async () => {
  const lease = new FakeLease();
  const ofLeader = new FakeClock();
  const ofCandidate = new FakeClock();
  ofCandidate.shiftWall(10 * 3_600_000);
  const a = join(lease, "a", ofLeader);
  await settle();
  a.line.cut = "fails";
  const b = join(lease, "b", ofCandidate);
  await ofCandidate.advance(14_999);
  expect(b.log).toEqual([]);
  await ofCandidate.advance(3000);
  expect(b.log).toEqual(["leads 1"]);
  await ofLeader.advance(20_000);
  expect(a.log[1]).toMatch("stops");
  await a.end();
  await b.end();
});

it("refuses a write of a process that was frozen, before any of its timers fires", async () => {
  const clock = new FakeClock();
  const a = join(new FakeLease(), "a", clock);
  await settle();
  a.assertHeld();
  clock.freeze(9999);
  a.assertHeld();
  clock.freeze(1);
  expect(a.assertHeld).toThrow(LeadershipLost);
  await settle();
  expect(a.log[1]).toBe("stops 10000");
  await a.end();
});

it("counts a sleep of the machine, in which the monotonic clock stood still", async () => {
  const clock = new FakeClock();
  const a = join(new FakeLease(), "a", clock);
  await settle();
  clock.shiftWall(60_000);
  expect(a.assertHeld).toThrow(LeadershipLost);
  await a.end();
});

it("gives the lease back after its work has stopped, and the other takes it at once", async () => {
  const lease = new FakeLease();
  const clock = new FakeClock();
  const a = join(lease, "a", clock);
  const b = join(lease, "b", clock);
  await settle();
  await a.end();
  expect(a.log).toHaveLength(2);
  expect(lease.record?.holder).toBe("");
  await clock.advance(2000);
  expect(b.log).toEqual(["leads 1"]);
  await b.end();
});

it("does not write the Lease all the time when its work ends by itself", async () => {
  const lease = new FakeLease();
  const clock = new FakeClock();
  const { store } = lease.connect();
  const stop = new AbortController();
  let turns = 0;
  const idle = async (): Promise<void> => {
    turns += 1;
    if (turns > 100) stop.abort();
  };
  const election = new LeaderElection({ store, identity: "a", retryMs: 2000, clock });
  const running = election.run(idle, stop.signal);
  await clock.advance(20_000);
  expect(turns).toBe(11);
  stop.abort();
  await running;
});

it("does not take back what another has taken", async () => {
  const lease = new FakeLease();
  const clock = new FakeClock();
  const a = join(lease, "a", clock);
  await settle();
  const thief = lease.connect().store;
  const over = lease.record?.version ?? "";
  const theft = { holder: "thief", durationMs: 15_000, transitions: 1 };
  await thief.update(over, theft, new AbortController().signal);
  await clock.advance(2000);
  expect(a.log).toEqual(["leads 0", "stops 2000"]);
  expect(lease.record?.holder).toBe("thief");
  await a.end();
  expect(lease.record?.holder).toBe("thief");
});

const record = (holder: string, version = "1"): LeaseRecord => ({
  holder,
  durationMs: 15_000,
  transitions: 4,
  version,
});

it.each([
  ["there is none", undefined, 0, { kind: "create" }],
  ["it is ours", record("me"), 1, { kind: "write", transitions: 4 }],
  ["it was released", record(""), 1, { kind: "write", transitions: 5 }],
  ["another has it", record("you"), 14_000, { kind: "wait", forMs: 1000 }],
  ["another had it", record("you"), 15_000, { kind: "write", transitions: 5 }],
])("when %s", (_name, found, after, decision) => {
  const observed = observeLease(undefined, found, 1000);
  expect(decideLease(observed, "me", 1000 + after)).toEqual(decision);
});

it("starts counting anew whenever the lease was written", () => {
  const first = observeLease(undefined, record("you", "1"), 0);
  expect(observeLease(first, record("you", "1"), 9000)?.since).toBe(0);
  expect(observeLease(first, record("you", "2"), 9000)?.since).toBe(9000);
});
