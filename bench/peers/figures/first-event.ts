import { setTimeout as sleep } from "node:timers/promises";
import { readEvents } from "../../clients/events.ts";
import { percentile } from "../../stats.ts";
import type { Contest } from "../contender.ts";
import type { RunClient, RunService } from "../services/run-service.ts";

const warmUpRuns = 3;
const runs = 20;
/** What a run sets off at its end is over: the next one finds all idle. */
const settleMs = 100;

/** From a streaming create to the first event of its execution, at the client; one run at a time. */
export const firstEvent: Contest<RunService> = {
  name: "create",
  metrics: [
    {
      key: "p50",
      title: "create to the execution's first event, p50",
      unit: "ms",
      bars: { langgraph: { atMost: 0.5 } },
    },
    { key: "p99", title: "create to the execution's first event, p99", unit: "ms" },
  ],
  open: async (service) => {
    const measure = async (count: number): Promise<number[]> => {
      const times: number[] = [];
      for (let i = 0; i < count; i += 1) times.push(await once(await service.openClient()));
      return times;
    };
    await measure(warmUpRuns);
    return {
      measure: async () => {
        const times = await measure(runs);
        return { p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
      },
      close: async () => undefined,
    };
  },
};

async function once(client: RunClient): Promise<number> {
  const { stream, isFirst } = client.next("answer");
  await sleep(settleMs);
  const start = performance.now();
  let took: number | undefined;
  await readEvents(stream, (event) => {
    if (isFirst(event)) took ??= performance.now() - start;
    return false;
  });
  if (took === undefined) throw new Error("a run ended before its execution's first event");
  return took;
}
