import type { Contest } from "../contender.ts";
import type { RunClient, RunService } from "../services/run-service.ts";
import { executeRun } from "./execute-run.ts";

const clients = 64;
const turnMs = 4_000;

/** Runs per second when 64 clients, each with a project or thread of its own, wait for one trivial run after another. */
export const runsAtOnce: Contest<RunService> = {
  name: "runs",
  metrics: [
    {
      key: "rate",
      title: `trivial runs, ${clients} clients`,
      unit: "1/s",
      bars: { langgraph: { atLeast: 2 } },
    },
  ],
  open: async (service) => {
    const opened: RunClient[] = [];
    for (let i = 0; i < clients; i += 1) opened.push(await service.openClient());
    const measure = async (ms: number): Promise<number> => {
      const start = performance.now();
      const until = start + ms;
      const counts = await Promise.all(opened.map((client) => executeUntil(until, client)));
      const seconds = (performance.now() - start) / 1000;
      return counts.reduce((sum, count) => sum + count, 0) / seconds;
    };
    await measure(0);
    return {
      measure: async () => ({ rate: await measure(turnMs) }),
      close: async () => undefined,
    };
  },
};

/** One run after another; none begins after `until`, and at least one is executed. */
async function executeUntil(until: number, client: RunClient): Promise<number> {
  let count = 0;
  do {
    await executeRun(client.next("answer"));
    count += 1;
  } while (performance.now() < until);
  return count;
}
