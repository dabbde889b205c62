import { setTimeout as sleep } from "node:timers/promises";
import { readFrames } from "../clients/sse-reader.ts";
import type { Creator } from "../sides/side.ts";
import { percentile } from "../stats.ts";
import type { Figure, Sample } from "./figure.ts";

const warmUpRuns = 5;
const runs = 30;
/** What a run sets off at its end (its report, the registry) is over, so that the next one finds everything idle. */
const settleMs = 300;

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
    const creator = await side.openCreator();
    for (let i = 0; i < warmUpRuns; i += 1) await once(creator);
    return { measure: () => measure(creator), close: () => creator.close() };
  },
};

async function measure(creator: Creator): Promise<Sample> {
  const times: number[] = [];
  for (let i = 0; i < runs; i += 1) times.push(await once(creator));
  return { p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
}

async function once(creator: Creator): Promise<number> {
  const { stream, isFirst, isLast } = await creator.next();
  await sleep(settleMs);
  const start = performance.now();
  let took: number | undefined;
  await readFrames(stream, (_id, frame) => {
    if (isFirst(frame)) took ??= performance.now() - start;
    return isLast(frame);
  });
  if (took === undefined) throw new Error("a run ended before its runner's first event");
  return took;
}
