import type { Contest } from "../contender.ts";
import type { RunClient, RunService } from "../services/run-service.ts";
import { executeRun } from "./execute-run.ts";

const clients = 64;
const runsEach = 6;

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
    const measure = async (each: number): Promise<number> => {
      const start = performance.now();
      await Promise.all(opened.map((client) => executeMany(client, each)));
      return (clients * each) / ((performance.now() - start) / 1000);
    };
    await measure(1);
    return {
      measure: async () => ({ rate: await measure(runsEach) }),
      close: async () => undefined,
    };
  },
};

async function executeMany(client: RunClient, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await executeRun(client.next("answer"));
}
