import { readEvents } from "../../clients/events.ts";
import { median } from "../../stats.ts";
import type { Contest } from "../contender.ts";
import { emittedEvents, type RunClient, type RunService } from "../services/run-service.ts";

const warmUpRuns = 2;
const runs = 10;

/** From the create of a run that writes 1,000 custom events to the last of them, at a client that follows. */
export const emit: Contest<RunService> = {
  name: "emit",
  metrics: [
    { key: "p50", title: `create to the last of ${emittedEvents} custom events, p50`, unit: "ms" },
  ],
  open: async (service) => {
    const client = await service.openClient();
    for (let i = 0; i < warmUpRuns; i += 1) await once(client);
    return {
      measure: async () => {
        const times: number[] = [];
        for (let i = 0; i < runs; i += 1) times.push(await once(client));
        return { p50: median(times) };
      },
      close: async () => undefined,
    };
  },
};

async function once(client: RunClient): Promise<number> {
  const { stream, isLast } = client.next("emit");
  const start = performance.now();
  let took: number | undefined;
  // To the end of the stream: LangGraph refuses a thread's next run while one is at work.
  await readEvents(stream, (event) => {
    if (isLast(event)) took ??= performance.now() - start;
    return false;
  });
  if (took === undefined) throw new Error("a run ended before its last event");
  return took;
}
