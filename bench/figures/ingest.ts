import type { Side } from "../sides/side.ts";
import { textFrames } from "./events.ts";
import type { Figure, Sample } from "./figure.ts";

const window = 256;
const warmUpFrames = 2_000;
const singleFrames = 30_000;
const batchFrames = 2_000;
const batchSize = 50;

/** Events per second over the runner's socket, acknowledged as durable, nobody reading. */
export const ingest: Figure = {
  name: "ingest",
  metrics: [
    {
      key: "single",
      title: "appends over the socket, one event a frame",
      unit: "1/s",
      bar: { kind: "ratio", atLeast: 0.7 },
    },
    {
      key: "batch",
      title: `appends over the socket, ${batchSize} events a frame`,
      unit: "1/s",
      bar: { kind: "ratio", atLeast: 0.7 },
    },
  ],
  open: async (side) => ({ measure: () => measure(side), close: async () => undefined }),
};

async function measure(side: Side): Promise<Sample> {
  const log = await side.openLog();
  const { producer } = log;
  await producer.sendAll(producer.encode(textFrames(warmUpFrames, 1)), window);
  const single = await rate(singleFrames, () => producer.encode(textFrames(singleFrames, 1)));
  const batch = await rate(batchFrames * batchSize, () =>
    producer.encode(textFrames(batchFrames, batchSize)),
  );
  await log.close();
  return { single, batch };

  async function rate(events: number, encode: () => Buffer[]): Promise<number> {
    const frames = encode();
    const start = performance.now();
    await producer.sendAll(frames, window);
    return events / ((performance.now() - start) / 1000);
  }
}
