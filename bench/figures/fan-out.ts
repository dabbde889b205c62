import { readFrames } from "../clients/sse-reader.ts";
import type { BenchLog } from "../sides/side.ts";
import { percentile } from "../stats.ts";
import { deliver } from "./delivery.ts";
import { textFrames } from "./events.ts";
import type { Figure, Sample } from "./figure.ts";

const readers = 100;
const paced = { eventsPerSecond: 25, count: 100 };
const warmUpEvents = 25;
const burstEvents = 1_000;
const burstWindow = 64;

/** One run, a hundred readers: latency at a human pace, and frames per second when the runner does not wait. */
export const fanOut: Figure = {
  name: "fan-out",
  metrics: [
    {
      key: "p50",
      title: `delivery to ${readers} readers at ${paced.eventsPerSecond}/s, p50`,
      unit: "ms",
    },
    {
      key: "p99",
      title: `delivery to ${readers} readers at ${paced.eventsPerSecond}/s, p99`,
      unit: "ms",
      bar: { kind: "ratio", atMost: 2 },
    },
    { key: "frames", title: `frames to ${readers} readers in a burst`, unit: "1/s" },
  ],
  open: async (side) => {
    const measure = async (): Promise<Sample> => {
      const calm = await side.openLog();
      const times = await deliver(calm, readers, paced);
      await calm.close();
      const counted = times.flatMap((reader) => reader.slice(warmUpEvents));
      const busy = await side.openLog();
      const frames = await burst(busy);
      await busy.close();
      return { p50: percentile(counted, 0.5), p99: percentile(counted, 0.99), frames };
    };
    return { measure, close: async () => undefined };
  },
};

async function burst(log: BenchLog): Promise<number> {
  const last = log.tail + burstEvents;
  const opened: Promise<void>[] = [];
  const reads = Array.from({ length: readers }, () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    opened.push(promise);
    return readFrames(log.stream(log.tail), (id) => id === last, resolve);
  });
  const all = Promise.all(reads);
  await Promise.race([Promise.all(opened), all]);
  const frames = log.producer.encode(textFrames(burstEvents, 1));
  const start = performance.now();
  await Promise.all([log.producer.sendAll(frames, burstWindow), all]);
  return (burstEvents * readers) / ((performance.now() - start) / 1000);
}
