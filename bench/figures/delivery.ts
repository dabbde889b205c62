import { setTimeout as sleep } from "node:timers/promises";
import { readFrames } from "../clients/sse-reader.ts";
import type { BenchLog } from "../sides/side.ts";
import { percentile } from "../stats.ts";
import { textDelta } from "./events.ts";
import type { Figure, Sample } from "./figure.ts";

const eventsPerSecond = 200;
const warmUpEvents = 200;
const events = 1_000;

/** From the write of a frame on the runner's socket to its SSE frame at one client. */
export const delivery: Figure = {
  name: "delivery",
  metrics: [
    {
      key: "p50",
      title: `delivery to one reader at ${eventsPerSecond}/s, p50`,
      unit: "ms",
    },
    {
      key: "p99",
      title: `delivery to one reader at ${eventsPerSecond}/s, p99`,
      unit: "ms",
      bar: { kind: "ratio", atMost: 2 },
    },
  ],
  open: async (side) => {
    const measure = async (): Promise<Sample> => {
      const log = await side.openLog();
      const [times] = await deliver(log, 1, { eventsPerSecond, count: warmUpEvents + events });
      await log.close();
      const counted = (times ?? []).slice(warmUpEvents);
      return { p50: percentile(counted, 0.5), p99: percentile(counted, 0.99) };
    };
    return { measure, close: async () => undefined };
  },
};

export interface Pace {
  readonly eventsPerSecond: number;
  readonly count: number;
}

/** Sends events at a steady pace; answers, for each reader, how many ms each event took. */
export async function deliver(log: BenchLog, readers: number, pace: Pace): Promise<number[][]> {
  const sentAt: number[] = [];
  const first = log.tail + 1;
  const last = log.tail + pace.count;
  const opened: Promise<void>[] = [];
  const reads = Array.from({ length: readers }, async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    opened.push(promise);
    const times: number[] = [];
    const onFrame = (id: number): boolean => {
      if (id >= first) times.push(performance.now() - (sentAt[id - first] ?? 0));
      return id === last;
    };
    await readFrames(log.stream(log.tail), onFrame, resolve);
    if (times.length !== pace.count)
      throw new Error(`${times.length} of ${pace.count} frames came`);
    return times;
  });
  const all = Promise.all(reads);
  await Promise.race([Promise.all(opened), all]);
  const frames = log.producer.encode(Array.from({ length: pace.count }, (_, i) => [textDelta(i)]));
  await sendPaced(frames, pace.eventsPerSecond, (frame) => {
    sentAt.push(performance.now());
    log.producer.send(frame);
  });
  return all;
}

/** A timer that is late sends what is due at once, so the pace holds on average. */
async function sendPaced(
  frames: readonly Buffer[],
  perSecond: number,
  send: (frame: Buffer) => void,
): Promise<void> {
  const start = performance.now();
  for (const [i, frame] of frames.entries()) {
    const waitMs = start + (i * 1000) / perSecond - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    send(frame);
  }
}
