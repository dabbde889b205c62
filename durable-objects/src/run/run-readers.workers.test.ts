import { runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  attach,
  dueOf,
  follow,
  makeClock,
  readLog,
  releasedRun,
  runOf,
} from "../testing/test-run.ts";

let clock: ReturnType<typeof makeClock>;
beforeEach(() => {
  clock = makeClock();
});
afterEach(() => clock.reset());

const text = (length: number) =>
  ({ type: "text.delta", data: { messageId: "m", text: "x".repeat(length) } }) as const;
const done = { outcome: { kind: "succeeded", output: "" } } as const;

async function runningRun() {
  const spec = await releasedRun();
  const runner = await attach(spec);
  await runner.claim();
  return { spec, runner };
}

describe("readers", () => {
  it("get the same, live or as a replay, wherever they start", async () => {
    const { spec, runner } = await runningRun();
    const live = [
      await follow(spec),
      await follow(spec, { after: 1 }),
      await follow(spec, { after: 7 }),
    ];
    for (let n = 1; n <= 20; n += 1) await runner.append(n, [text(10), text(n * 1000)]);
    await runner.append(21, [], done);
    const replay = await readLog(spec);
    for (const reader of live) {
      expect(await reader.ended()).toBe(1000);
      const [first] = reader.events;
      expect(reader.events).toEqual(replay.slice((first?.seq ?? 0) - 1));
    }
    expect(live.map(({ events }) => events[0]?.seq)).toEqual([1, 2, 8]);
    expect(replay.at(-1)?.type).toBe("run.succeeded");
  });

  it("wait past the end of a live run, and are closed at once past the end of a finished one", async () => {
    const { spec, runner } = await runningRun();
    const early = await follow(spec, { after: 4 });
    await runner.append(1, [text(1), text(2)]);
    await runner.append(2, [text(3)], done);
    expect(await early.ended()).toBe(1000);
    expect(early.events.map(({ seq }) => seq)).toEqual([5, 6]);
    for (const after of [6, 99]) {
      const late = await follow(spec, { after });
      expect(await late.ended()).toBe(1000);
      expect(late.events).toEqual([]);
    }
  });

  it("that take nothing hold up neither the writer nor others, and are cut loose", async () => {
    const { spec, runner } = await runningRun();
    const stalled = await follow(spec, { stalled: true });
    const reader = await follow(spec);
    for (let n = 1; n <= 10; n += 1) await runner.append(n, [text(100_000)]);
    await vi.waitFor(() => expect(reader.events).toHaveLength(12), 10_000);
    expect(stalled.received()).toBeLessThan(400_000);
    expect(await dueOf(spec)).toContain("readers");
    clock.advance(61_000);
    await runDurableObjectAlarm(runOf(spec));
    expect(await stalled.ended()).toBe(1013);
    await runner.append(11, [], done);
    expect(await reader.ended()).toBe(1000);
    const cursor = stalled.events.at(-1)?.seq ?? 0;
    const resumed = await follow(spec, { after: cursor });
    expect(await resumed.ended()).toBe(1000);
    expect([...stalled.events, ...resumed.events]).toEqual(reader.events);
  });

  it("are given what fell out of the ring from the store", async () => {
    const { spec, runner } = await runningRun();
    for (let n = 1; n <= 30; n += 1) await runner.append(n, [text(200_000)]);
    await runner.append(31, [], done);
    expect(await readLog(spec)).toHaveLength(33);
  });
});
