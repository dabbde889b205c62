import { expect, it } from "vitest";
import { FakeClock, settle } from "../testing/fake-clock.ts";
import { WorkQueue, type WorkQueueOptions } from "./work-queue.ts";

function start(options: WorkQueueOptions = {}, workers = 1) {
  const clock = new FakeClock();
  const queue = new WorkQueue({ clock, random: () => 0, ...options });
  const stop = new AbortController();
  const log: string[] = [];
  const open = new Map<string, () => void>();
  const running = queue.run(
    workers,
    (key) => {
      log.push(key);
      return new Promise((resolve) => open.set(key, resolve));
    },
    stop.signal,
  );
  const finish = async (key: string) => {
    open.get(key)?.();
    open.delete(key);
    await settle();
  };
  return { clock, queue, stop, log, running, finish };
}

it("hands out a key once, however often it is added while it waits", async () => {
  const { queue, log, finish, stop, running } = start();
  for (const key of ["a", "b", "a", "b", "b"]) queue.add(key);
  await settle();
  await finish("a");
  await finish("b");
  expect(log).toEqual(["a", "b"]);
  stop.abort();
  await running;
});

it("never gives a key to two workers, and comes back to one added meanwhile", async () => {
  const { queue, log, finish, stop, running } = start({}, 3);
  queue.add("a");
  await settle();
  queue.add("a");
  queue.add("a");
  await settle();
  expect(log).toEqual(["a"]);
  await finish("a");
  expect(log).toEqual(["a", "a"]);
  await finish("a");
  expect(log).toEqual(["a", "a"]);
  stop.abort();
  await running;
});

it("comes back at the exact time, and not a millisecond before", async () => {
  const { queue, clock, log, stop, finish, running } = start();
  queue.addAt("a", clock.now() + 200_000);
  await clock.advance(199_999);
  expect(log).toEqual([]);
  await clock.advance(1);
  expect(log).toEqual(["a"]);
  await finish("a");
  stop.abort();
  await running;
});

it("follows a wall clock that is set during a long wait", async () => {
  const { queue, clock, log, stop, finish, running } = start();
  queue.addAt("a", clock.now() + 3_600_000);
  clock.shiftWall(3_600_000);
  await clock.advance(60_000);
  expect(log).toEqual(["a"]);
  await finish("a");
  stop.abort();
  await running;
});

it("keeps the earlier of two times, and forgets both when the key comes sooner", async () => {
  const { queue, clock, log, finish, stop, running } = start();
  queue.addAfter("a", 5000);
  queue.addAfter("a", 1000);
  queue.addAfter("a", 9000);
  await clock.advance(1000);
  await finish("a");
  queue.addAfter("a", 4000);
  queue.add("a");
  await settle();
  await finish("a");
  await clock.advance(20_000);
  expect(log).toEqual(["a", "a"]);
  expect(clock.timers).toBe(0);
  stop.abort();
  await running;
});

it("waits longer after each failure of a key, and starts anew after a success", () => {
  const { queue, stop } = start({ backoff: { firstMs: 100, longestMs: 1000 } });
  expect([1, 2, 3, 4, 5].map(() => queue.retry("a"))).toEqual([100, 200, 400, 800, 1000]);
  expect(queue.retry("b")).toBe(100);
  queue.forget("a");
  expect(queue.retry("a")).toBe(100);
  queue.clear();
  stop.abort();
});

it("takes chance off the backoff, and waits as long as the server asks", () => {
  const { queue, stop } = start({
    backoff: { firstMs: 100, longestMs: 1000 },
    random: () => 1,
  });
  expect(queue.retry("a")).toBe(50);
  expect(queue.retry("a", 7000)).toBe(7000);
  queue.clear();
  stop.abort();
});

it("spreads the retries of many keys over time", () => {
  const retryRate = { perSecond: 10, burst: 5 };
  const { queue, stop } = start({ retryRate, backoff: { firstMs: 1, longestMs: 1 } });
  const waits = Array.from({ length: 15 }, (_, i) => queue.retry(`k${i}`));
  expect(waits.slice(0, 5).every((ms) => ms === 1)).toBe(true);
  expect(waits.at(-1)).toBe(1000);
  queue.clear();
  stop.abort();
});

it("gives no key the turns of others, however often it is woken and fails again", () => {
  const clock = new FakeClock();
  const queue = new WorkQueue({ clock, retryRate: { perSecond: 1, burst: 1 }, random: () => 0 });
  for (let i = 0; i < 100; i += 1) {
    queue.retry("busy");
    queue.add("busy");
    queue.forget("busy");
  }
  expect(queue.retry("other")).toBeLessThanOrEqual(2000);
});

it("ends when told to, after what is in hand, and keeps what waits for the next run", async () => {
  const { queue, log, finish, stop, running } = start();
  queue.add("a");
  queue.add("b");
  await settle();
  stop.abort();
  await finish("a");
  await running;
  expect(log).toEqual(["a"]);
  expect(queue.depth).toBe(1);
});

it("tells its observer how deep it is and how long keys waited", async () => {
  const seen: [string, number][] = [];
  const { queue, clock, finish, stop, running } = start({
    observer: {
      depth: (keys) => seen.push(["depth", keys]),
      waited: (ms) => seen.push(["waited", ms]),
      retried: () => seen.push(["retried", 1]),
    },
  });
  queue.add("a");
  await settle();
  queue.add("b");
  await clock.advance(300);
  await finish("a");
  expect(seen).toEqual([
    ["depth", 1],
    ["depth", 0],
    ["waited", 0],
    ["depth", 1],
    ["depth", 0],
    ["waited", 300],
  ]);
  await finish("b");
  stop.abort();
  await running;
});
