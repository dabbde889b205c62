import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { PoolToRunner } from "@millrace/contracts";
import type { RunnerToPool } from "@millrace/contracts";
import { describe, expect, it, vi } from "vitest";
import { objectNames } from "../platform-env.ts";
import { readRunToken } from "../run-token.ts";
import type { WaitingRun } from "./pool-rpc.ts";

let pools = 0;

function makePool() {
  const pool = `pool-${(pools += 1)}`;
  return { pool, stub: env.POOLS.getByName(objectNames.pool("org", pool)) };
}

function makeRun(change: Partial<WaitingRun> = {}): WaitingRun {
  return { orgId: "org", projectId: "p", runId: crypto.randomUUID(), attempt: 1, ...change };
}

type Pool = ReturnType<typeof makePool>;

async function openSocket({ pool, stub }: Pool) {
  const response = await stub.fetch(`https://pool/socket?orgId=org&pool=${pool}`, {
    headers: { Upgrade: "websocket" },
  });
  const socket = response.webSocket;
  if (!socket) throw new Error(`no socket: ${response.status}`);
  const heard: PoolToRunner[] = [];
  const closed: { readonly code: number; readonly reason: string }[] = [];
  socket.addEventListener("message", (event) => {
    heard.push(PoolToRunner.parse(JSON.parse(String(event.data))));
  });
  socket.addEventListener("close", ({ code, reason }) => {
    closed.push({ code, reason });
  });
  socket.accept();
  const say = (message: RunnerToPool) => socket.send(JSON.stringify(message));
  const offers = () => heard.filter((message) => message.type === "offer");
  const nextOffer = async (n = 1) =>
    vi.waitFor(() => {
      const offer = offers()[n - 1];
      if (!offer) throw new Error(`no offer ${n}`);
      return offer;
    }, 5000);
  return { socket, heard, closed, say, offers, nextOffer };
}

async function join(pool: Pool, free = 1, runnerId = crypto.randomUUID()) {
  const runner = await openSocket(pool);
  runner.say({ type: "hello", runnerId, version: "0", slots: Math.max(free, 1), free });
  await vi.waitFor(() => expect(runner.heard).toContainEqual(welcome(pool)), 5000);
  return { ...runner, runnerId };
}

function welcome({ pool }: Pool) {
  return { type: "welcome", orgId: "org", pool };
}

/** Answers once everything sent before has been handled. */
async function settle({ stub }: Pool, runner: { say: (message: RunnerToPool) => void }) {
  const { runId } = makeRun();
  runner.say({ type: "decline", runId, attempt: 1, reason: "other_org" });
  await stub.withdraw(runId, null);
  await new Promise((resolve) => setTimeout(resolve, 100));
}

function count(pool: Pool, table: string): Promise<number> {
  return runInDurableObject(pool.stub, (_, { storage }) => {
    const row = storage.sql.exec<{ n: number }>(`SELECT count(*) AS n FROM ${table}`).one();
    return row.n;
  });
}

describe("offers", () => {
  it("goes to a connected runner with a token for this attempt only", async () => {
    const pool = makePool();
    const runner = await join(pool);
    const run = makeRun({ attempt: 3 });
    await pool.stub.enqueue(run);
    const { token, ...offer } = await runner.nextOffer();
    expect(offer).toEqual({ type: "offer", ...run });
    expect(await readRunToken(token, env.RUN_TOKEN_SECRET)).toMatchObject({
      org: "org",
      run: run.runId,
      attempt: 3,
    });
  });

  it("waits until a runner says hello", async () => {
    const pool = makePool();
    const run = makeRun();
    await pool.stub.enqueue(run);
    const runner = await join(pool);
    expect(await runner.nextOffer()).toMatchObject({ runId: run.runId });
  });

  it("asked twice, waits once; a later attempt replaces an earlier, an earlier is ignored", async () => {
    const pool = makePool();
    const run = makeRun({ attempt: 2 });
    const runner = await join(pool, 4);
    await Promise.all([1, 2, 3].map(() => pool.stub.enqueue(run)));
    await pool.stub.enqueue({ ...run, attempt: 1 });
    await settle(pool, runner);
    expect(runner.offers().map((offer) => offer.attempt)).toEqual([2]);
    await pool.stub.enqueue({ ...run, attempt: 3 });
    expect(await runner.nextOffer(2)).toMatchObject({ attempt: 3 });
    expect(runner.heard).toContainEqual({ type: "withdraw", runId: run.runId, attempt: 2 });
    expect(await count(pool, "waiting")).toBe(1);
  });

  it("never offers two runs to one slot, and goes on when a status frees it", async () => {
    const pool = makePool();
    const runner = await join(pool, 1);
    const runs = [makeRun(), makeRun(), makeRun()];
    await Promise.all(runs.map((run) => pool.stub.enqueue(run)));
    const first = await runner.nextOffer();
    runner.say({ type: "accept", runId: first.runId, attempt: 1 });
    await settle(pool, runner);
    expect(runner.offers()).toHaveLength(1);
    runner.say({ type: "status", free: 1 });
    await runner.nextOffer(2);
    // This status was sent before the runner saw the offer that stands: its slot stays taken.
    runner.say({ type: "status", free: 1 });
    await settle(pool, runner);
    expect(runner.offers()).toHaveLength(2);
    expect(await count(pool, "waiting")).toBe(2);
  });

  it("prefers the runner that last took the project, and forgets the run once it is taken", async () => {
    const pool = makePool();
    const small = await join(pool, 2);
    const first = makeRun({ projectId: "mine" });
    await pool.stub.enqueue(first);
    await small.nextOffer();
    small.say({ type: "accept", runId: first.runId, attempt: 1 });
    const big = await join(pool, 9);
    await settle(pool, small);
    expect(await count(pool, "waiting")).toBe(0);
    await pool.stub.enqueue(makeRun({ projectId: "mine" }));
    await small.nextOffer(2);
    await pool.stub.enqueue(makeRun({ projectId: "other" }));
    await big.nextOffer();
  });

  it("withdraws from the runner that has the offer, and offers nothing later", async () => {
    const pool = makePool();
    const runner = await join(pool);
    const run = makeRun();
    await pool.stub.enqueue(run);
    await runner.nextOffer();
    await pool.stub.withdraw(run.runId, null);
    await vi.waitFor(
      () => expect(runner.heard).toContainEqual({ type: "withdraw", runId: run.runId, attempt: 1 }),
      5000,
    );
    expect(await count(pool, "waiting")).toBe(0);
    const next = makeRun();
    await pool.stub.enqueue(next);
    expect(await runner.nextOffer(2)).toMatchObject({ runId: next.runId });
  });
});

describe("runners that do not take an offer", () => {
  it.for(["full", "draining", "already_running", "other_org"] as const)(
    "%s: the next is asked at once, the first not again",
    async (reason) => {
      const pool = makePool();
      const first = await join(pool, 2);
      const second = await join(pool, 1);
      const run = makeRun();
      await pool.stub.enqueue(run);
      await first.nextOffer();
      first.say({ type: "decline", runId: run.runId, attempt: 1, reason });
      await second.nextOffer();
      second.say({ type: "decline", runId: run.runId, attempt: 1, reason: "other_org" });
      await pool.stub.enqueue(run);
      await settle(pool, second);
      expect(first.offers()).toHaveLength(1);
      expect(second.offers()).toHaveLength(1);
      expect(await count(pool, "waiting")).toBe(1);
    },
  );

  it("full: is asked again when it has a slot", async () => {
    const pool = makePool();
    const runner = await join(pool);
    const run = makeRun();
    await pool.stub.enqueue(run);
    await runner.nextOffer();
    runner.say({ type: "decline", runId: run.runId, attempt: 1, reason: "full" });
    runner.say({ type: "status", free: 1 });
    expect(await runner.nextOffer(2)).toMatchObject({ runId: run.runId });
  });

  it("silent: at the deadline the next is asked; the silent one when the run asks again", async () => {
    const pool = makePool();
    const silent = await join(pool, 2);
    const run = makeRun();
    await pool.stub.enqueue(run);
    await silent.nextOffer();
    await runInDurableObject(pool.stub, (_, { storage }) => {
      storage.sql.exec("UPDATE offers SET deadline = 0");
    });
    expect(await runDurableObjectAlarm(pool.stub)).toBe(true);
    await settle(pool, silent);
    expect(silent.offers()).toHaveLength(1);
    expect(silent.heard).toContainEqual({ type: "withdraw", runId: run.runId, attempt: 1 });
    await pool.stub.enqueue(run);
    await silent.nextOffer(2);
  });

  it("gone: its offers go to the next at once", async () => {
    const pool = makePool();
    const first = await join(pool, 2);
    const second = await join(pool, 1);
    const run = makeRun();
    await pool.stub.enqueue(run);
    await first.nextOffer();
    first.socket.close(1000, "bye");
    expect(await second.nextOffer()).toMatchObject({ runId: run.runId });
  });

  it("back on a new socket: the old one is closed and the offer comes again", async () => {
    const pool = makePool();
    const before = await join(pool);
    const run = makeRun();
    await pool.stub.enqueue(run);
    await before.nextOffer();
    const after = await join(pool, 1, before.runnerId);
    expect(await after.nextOffer()).toMatchObject({ runId: run.runId });
    await vi.waitFor(() => expect(before.closed[0]?.code).toBe(1000), 5000);
  });

  it("late: an accept after the deadline takes the run from whoever has the offer now", async () => {
    const pool = makePool();
    const late = await join(pool, 2);
    const next = await join(pool, 1);
    const run = makeRun();
    await pool.stub.enqueue(run);
    await late.nextOffer();
    await runInDurableObject(pool.stub, (_, { storage }) => {
      storage.sql.exec("UPDATE offers SET deadline = 0");
    });
    await runDurableObjectAlarm(pool.stub);
    await next.nextOffer();
    late.say({ type: "accept", runId: run.runId, attempt: 1 });
    await vi.waitFor(
      () => expect(next.heard).toContainEqual({ type: "withdraw", runId: run.runId, attempt: 1 }),
      5000,
    );
    expect(await count(pool, "waiting")).toBe(0);
  });
});

describe("sleep", () => {
  it("knows its runners and its offers again after waking up", async () => {
    const pool = makePool();
    const runner = await join(pool, 2);
    const [first, second] = [makeRun(), makeRun()];
    await pool.stub.enqueue(first);
    await runner.nextOffer();
    await evictDurableObject(pool.stub);
    await pool.stub.enqueue(first);
    await pool.stub.enqueue(second);
    expect(await runner.nextOffer(2)).toMatchObject({ runId: second.runId });
    await pool.stub.enqueue(makeRun());
    await settle(pool, runner);
    expect(runner.offers()).toHaveLength(2);
  });
});

describe("bounds", () => {
  it("drops a run that nobody took for a day", async () => {
    const pool = makePool();
    await pool.stub.enqueue(makeRun());
    await runInDurableObject(pool.stub, (_, { storage }) => {
      storage.sql.exec("UPDATE waiting SET since = since - 86400000");
    });
    expect(await runDurableObjectAlarm(pool.stub)).toBe(true);
    expect(await count(pool, "waiting")).toBe(0);
  });

  it.for([
    ["no JSON", "hello"],
    ["no message of this protocol", '{"type":"hello","runnerId":"me"}'],
    ["no hello first", '{"type":"status","free":1}'],
  ])("closes a socket that says %s with 1008", async ([, text]) => {
    const { socket, closed } = await openSocket(makePool());
    socket.send(text as string);
    await vi.waitFor(() => expect(closed[0]?.code).toBe(1008), 5000);
    expect(closed[0]?.reason).not.toBe("");
  });
});
