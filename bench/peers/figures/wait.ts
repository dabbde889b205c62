import { percentile } from "../../stats.ts";
import type { Contest } from "../contender.ts";
import type { RunService } from "../services/run-service.ts";
import { executeRun } from "./execute-run.ts";

const warmUpRuns = 3;
const runs = 15;

/** From the create of a run that does nothing to the answer that it is over; one client, one run at a time. */
export const wait: Contest<RunService> = {
  name: "wait",
  metrics: [
    {
      key: "p50",
      title: "wait for a trivial run, p50",
      unit: "ms",
      bars: { langgraph: { atMost: 0.1 } },
    },
    { key: "p99", title: "wait for a trivial run, p99", unit: "ms" },
  ],
  open: async (service) => {
    const client = await service.openClient();
    const measure = async (count: number): Promise<number[]> => {
      const times: number[] = [];
      for (let i = 0; i < count; i += 1) {
        const start = performance.now();
        await executeRun(client.next("answer"));
        times.push(performance.now() - start);
      }
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
