import { readFrames } from "../clients/sse-reader.ts";
import type { Side } from "../sides/side.ts";
import { percentile } from "../stats.ts";
import type { Figure, Sample } from "./figure.ts";

const warmUpRuns = 5;
const runs = 30;

/**
 * From a streaming create to the first event that the runner itself wrote, at the client. The bare object
 * has no runner: it writes a row and answers with a held stream's first frame.
 */
export const create: Figure = {
  name: "create",
  metrics: [
    {
      key: "p50",
      title: "create to the runner's first event, p50",
      unit: "ms",
      bar: { kind: "value", atMost: 20 },
    },
    { key: "p99", title: "create to the runner's first event, p99", unit: "ms" },
  ],
  open: async (side) => {
    for (let i = 0; i < warmUpRuns; i += 1) await once(side);
    return { measure: () => measure(side), close: async () => undefined };
  },
};

async function measure(side: Side): Promise<Sample> {
  const times: number[] = [];
  for (let i = 0; i < runs; i += 1) times.push(await once(side));
  return { p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
}

async function once(side: Side): Promise<number> {
  const { stream, isFirst } = side.create();
  const start = performance.now();
  let took = 0;
  await readFrames(stream, (_id, frame) => {
    if (!isFirst(frame)) return false;
    took = performance.now() - start;
    return true;
  });
  return took;
}
