import { readUntil } from "../clients/sse-reader.ts";
import type { BenchLog, Side } from "../sides/side.ts";
import { textFrames } from "./events.ts";
import type { Figure, Sample } from "./figure.ts";

const events = 100_000;
const batchSize = 50;
const window = 16;

/** From the request of a stream to the last of 100,000 events at the client. */
export const replay: Figure = {
  name: "replay",
  metrics: [
    {
      key: "time",
      title: "replay of 100,000 events",
      unit: "ms",
      bar: { kind: "ratio", atMost: 2 },
    },
  ],
  open: async (side) => {
    const log = await fill(side);
    await time(log);
    return {
      measure: async (): Promise<Sample> => ({ time: await time(log) }),
      close: () => log.close(),
    };
  },
};

async function fill(side: Side): Promise<BenchLog> {
  const log = await side.openLog();
  await log.producer.sendAll(
    log.producer.encode(textFrames(events / batchSize, batchSize)),
    window,
  );
  return log;
}

async function time(log: BenchLog): Promise<number> {
  const start = performance.now();
  const chunks = await readUntil(log.stream(log.tail), log.tail + events);
  const took = performance.now() - start;
  checkIds(Buffer.concat(chunks).toString("latin1"), log.tail + 1);
  return took;
}

/** A fast replay that skips or repeats an event would be worth nothing. */
function checkIds(text: string, first: number): void {
  let expected = first;
  for (const [, id] of text.matchAll(/^id: (\d+)$/gm)) {
    if (Number(id) !== expected) throw new Error(`replay gave ${id} where ${expected} was due`);
    expected += 1;
  }
  if (expected !== first + events) throw new Error(`replay gave ${expected - first} events`);
}
