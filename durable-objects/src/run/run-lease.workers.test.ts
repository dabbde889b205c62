import { runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  attach,
  dueOf,
  makeClock,
  readLog,
  readSoFar,
  releasedRun,
  rpcOf,
  runOf,
} from "../testing/test-run.ts";
import { readRunToken, runTokenTtlMs } from "../run-token.ts";

let clock: ReturnType<typeof makeClock>;
beforeEach(() => {
  clock = makeClock();
});
afterEach(() => clock.reset());

type Spec = Awaited<ReturnType<typeof releasedRun>>;

async function fireAt(spec: Spec, afterMs: number) {
  clock.advance(afterMs);
  await runDurableObjectAlarm(runOf(spec));
}

async function statusOf(spec: Spec) {
  const answer = await rpcOf(spec).view();
  return answer.ok ? answer.view.status : answer.code;
}

describe("a lease", () => {
  it("gets one grace when it is found expired, and then the attempt is fenced", async () => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    await runner.claim();
    await fireAt(spec, 31_000);
    expect(await statusOf(spec)).toBe("running");
    await fireAt(spec, 14_000);
    expect(await statusOf(spec)).toBe("running");
    await fireAt(spec, 2_000);
    expect(await statusOf(spec)).toBe("queued");
    runner.send({ type: "heartbeat", id: 1 });
    expect(await runner.next("refused")).toMatchObject({ code: "fenced" });
  });

  it("is kept by a runner that comes back within the grace", async () => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    await runner.claim();
    await fireAt(spec, 31_000);
    clock.advance(10_000);
    const back = await attach(spec, 1, runner.runnerId);
    await back.claim();
    await fireAt(spec, 20_000);
    expect(await statusOf(spec)).toBe("running");
    // Its grace is there again, once.
    await fireAt(spec, 11_000);
    expect(await statusOf(spec)).toBe("running");
  });

  it("is renewed by frames and heartbeats", async () => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    await runner.claim();
    for (let id = 1; id <= 6; id += 1) {
      clock.advance(20_000);
      runner.send({ type: "heartbeat", id });
      await runner.next("ack");
      await runDurableObjectAlarm(runOf(spec));
    }
    expect(await statusOf(spec)).toBe("running");
  });

  it("comes with a fresh token when the old one is past half its life", async () => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    await runner.claim();
    runner.send({ type: "heartbeat", id: 1 });
    expect(await runner.next("ack")).not.toHaveProperty("token");
    clock.advance(runTokenTtlMs / 2 + 1);
    runner.send({ type: "heartbeat", id: 2 });
    await runner.next("ack");
    const { token = "" } = await runner.next("ack");
    const { orgId: org, runId: run } = spec;
    expect(await readRunToken(token, env.RUN_TOKEN_SECRET)).toMatchObject({ org, run, attempt: 1 });
  });

  it("ends soon, without a grace, when the runner's socket closes", async () => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    await runner.claim();
    runner.socket.close(1000);
    await vi.waitFor(
      async () => {
        await fireAt(spec, 5_100);
        expect(await statusOf(spec)).toBe("queued");
      },
      { timeout: 5_000, interval: 50 },
    );
  });

  it("that ends too often ends the run", async () => {
    const spec = await releasedRun({ maxAttempts: 2 });
    for (const attempt of [1, 2]) {
      await vi.waitFor(
        async () => expect(await rpcOf(spec).view()).toMatchObject({ view: { attempt } }),
        { timeout: 20_000, interval: 100 },
      );
      const runner = await attach(spec, attempt);
      await runner.claim();
      await fireAt(spec, 31_000);
      await fireAt(spec, 16_000);
      if (attempt === 1) await fireAt(spec, 31_000);
    }
    const log = await readLog(spec);
    expect(log.filter(({ type }) => type === "run.started")).toHaveLength(2);
    expect(log.at(-1)).toMatchObject({
      type: "run.failed",
      data: { code: "lease_expired", attempts: 2, maxAttempts: 2 },
    });
  });

  it("ends a cancel by force", async () => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    await runner.claim();
    clock.advance(20_000);
    await rpcOf(spec).cancel("user");
    await fireAt(spec, 11_000);
    await fireAt(spec, 15_001);
    expect((await readLog(spec)).at(-1)).toMatchObject({
      type: "run.cancelled",
      data: { forced: true, stopped: false },
    });
  });
});

describe("a run that nobody takes", () => {
  it("is dispatched again and again, as the same attempt, and fails at its start deadline", async () => {
    const spec = await releasedRun();
    expect(await dueOf(spec)).toEqual(expect.arrayContaining(["dispatch", "start_deadline"]));
    await fireAt(spec, 10_001);
    await fireAt(spec, 20_001);
    expect(await rpcOf(spec).view()).toMatchObject({ view: { status: "dispatched", attempt: 1 } });
    await fireAt(spec, 24 * 60 * 60_000);
    expect((await readLog(spec)).at(-1)).toMatchObject({
      type: "run.failed",
      data: { code: "no_runner" },
    });
  });

  it("keeps its row until it is claimed", async () => {
    const spec = await releasedRun();
    await fireAt(spec, 10_001);
    expect(await dueOf(spec)).toContain("dispatch");
    const runner = await attach(spec);
    await runner.claim();
    expect(await dueOf(spec)).not.toContain("dispatch");
    expect(await dueOf(spec)).toContain("lease");
    await readSoFar(spec, "run.started");
  });
});
