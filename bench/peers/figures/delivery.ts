import { setTimeout as sleep } from "node:timers/promises";
import { KeepAliveClient } from "../../clients/keep-alive-client.ts";
import { readEvents } from "../../clients/events.ts";
import { percentile } from "../../stats.ts";
import type { Contest } from "../contender.ts";
import type { StreamService } from "../services/stream-service.ts";
import { createStream, numbersIn, postOf, streamMessages } from "./stream-messages.ts";

const perSecond = 200;
const warmUpMessages = 200;
const messages = 1_000;

/** From an append's request to its server-sent event at one client, at a steady pace. */
export const delivery: Contest<StreamService> = {
  name: "delivery",
  metrics: [
    { key: "p50", title: `append to SSE delivery at ${perSecond}/s, p50`, unit: "ms" },
    {
      key: "p99",
      title: `append to SSE delivery at ${perSecond}/s, p99`,
      unit: "ms",
      bars: { "streams-memory": { atMost: 3 } },
    },
  ],
  open: async (service) => {
    const client = new KeepAliveClient(64);
    return {
      measure: async () => {
        const times = await deliver(client, service, warmUpMessages + messages);
        const counted = times.slice(warmUpMessages);
        return { p50: percentile(counted, 0.5), p99: percentile(counted, 0.99) };
      },
      close: async () => client.close(),
    };
  },
};

async function deliver(
  client: KeepAliveClient,
  service: StreamService,
  count: number,
): Promise<number[]> {
  const url = await createStream(client, service);
  const posts = Array.from({ length: count }, (_, n) => postOf(service, url, streamMessages(n, 1)));
  const sentAt: number[] = [];
  const times: number[] = [];
  const opened = Promise.withResolvers<void>();
  const live = new URL(`${url.href}?offset=-1&live=sse`);
  const read = readEvents({ url: live, headers: service.headers }, (event) => {
    opened.resolve();
    if (!event.startsWith("event: data")) return false;
    for (const n of numbersIn(event)) times[n] = performance.now() - (sentAt[n] ?? Number.NaN);
    return times.length === count;
  });
  await Promise.race([opened.promise, read]);
  const start = performance.now();
  const appends: Promise<unknown>[] = [];
  for (const [n, post] of posts.entries()) {
    // A timer that is late sends what is due at once, so the pace holds on average.
    const waitMs = start + (n * 1000) / perSecond - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    sentAt.push(performance.now());
    appends.push(client.send(post));
  }
  await Promise.all(appends);
  await read;
  return times;
}
