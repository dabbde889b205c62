import { evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  attach,
  dueOf,
  follow,
  makeClock,
  readLog,
  releasedRun,
  rpcOf,
  runOf,
} from "../testing/test-run.ts";

let clock: ReturnType<typeof makeClock>;
beforeEach(() => {
  clock = makeClock();
});
afterEach(() => clock.reset());

const delta = (text: string) => ({ type: "text.delta", data: { messageId: "m", text } }) as const;
const done = { outcome: { kind: "succeeded", output: "" } } as const;

describe("an object that slept", () => {
  it("goes on with the sockets that it had", async () => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    await runner.claim();
    const reader = await follow(spec);
    await runner.append(1, [delta("before")]);
    await vi.waitFor(() => expect(reader.events).toHaveLength(3), 5_000);
    await evictDurableObject(runOf(spec));
    await runner.append(2, [delta("after")]);
    await rpcOf(spec).cancel("user");
    await runner.next("cancel");
    await evictDurableObject(runOf(spec));
    await runner.append(3, [], { outcome: { kind: "cancelled" } });
    expect(await reader.ended()).toBe(1000);
    expect(reader.events).toEqual(await readLog(spec));
  });

  it("keeps a reader that waits past the end where it was", async () => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    await runner.claim();
    const reader = await follow(spec, { after: 3 });
    await evictDurableObject(runOf(spec));
    await runner.append(1, [delta("a"), delta("b")], done);
    expect(await reader.ended()).toBe(1000);
    expect(reader.events.map(({ seq }) => seq)).toEqual([4, 5]);
  });
});

describe("an object that crashed", () => {
  it("knows everything that it acked, and lets the runner go on", async () => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    await runner.claim();
    const step = { n: 1, body: `{"done":1}` };
    await runner.append(1, [delta("acked")], { steps: [step] });
    await evictDurableObject(runOf(spec), { webSockets: "close" });
    const back = await attach(spec, 1, runner.runnerId);
    expect(await back.claim()).toMatchObject({ producerSeq: 1, tail: 3, stepCount: 1 });
    expect((await back.next("steps")).steps).toEqual([step]);
    await back.append(2, [delta("resumed")], done);
    expect((await readLog(spec)).filter(({ type }) => type === "run.started")).toHaveLength(1);
  });

  it("still has a lease with its grace, and expires it when nobody comes back", async () => {
    const spec = await releasedRun({ maxAttempts: 1 });
    const runner = await attach(spec);
    await runner.claim();
    await evictDurableObject(runOf(spec), { webSockets: "close" });
    expect(await dueOf(spec)).toContain("lease");
    clock.advance(60_000);
    await runDurableObjectAlarm(runOf(spec));
    expect(await rpcOf(spec).view()).toMatchObject({ view: { status: "running" } });
    await evictDurableObject(runOf(spec));
    clock.advance(15_001);
    await runDurableObjectAlarm(runOf(spec));
    expect((await readLog(spec)).at(-1)).toMatchObject({
      type: "run.failed",
      data: { code: "lease_expired" },
    });
  });
});
