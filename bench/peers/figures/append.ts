import { KeepAliveClient } from "../../clients/keep-alive-client.ts";
import type { Contest } from "../contender.ts";
import type { StreamService } from "../services/stream-service.ts";
import { createStream, postOf, streamMessages } from "./stream-messages.ts";

const writers = 16;
const batchSize = 50;
const warmUp = { ms: 500 };
const turn = { ms: 2_000 };

/** Messages per second into one stream over HTTP, each answered as appended. */
export const append: Contest<StreamService> = {
  name: "append",
  metrics: [
    {
      key: "single",
      title: `appends over HTTP, ${writers} writers, one message each`,
      unit: "1/s",
      bars: { "streams-file": { atLeast: 4 } },
    },
    {
      key: "batch",
      title: `appends over HTTP, ${writers} writers, ${batchSize} messages each`,
      unit: "1/s",
      bars: { "streams-file": { atLeast: 4 } },
    },
  ],
  open: async (service) => {
    const client = new KeepAliveClient(writers);
    const rate = async (size: number, { ms }: { readonly ms: number }): Promise<number> => {
      const post = postOf(service, await createStream(client, service), streamMessages(0, size));
      const start = performance.now();
      const counts = await Promise.all(
        Array.from({ length: writers }, async () => {
          let count = 0;
          for (; performance.now() - start < ms; count += size) await client.send(post);
          return count;
        }),
      );
      const seconds = (performance.now() - start) / 1000;
      return counts.reduce((sum, count) => sum + count, 0) / seconds;
    };
    for (const size of [1, batchSize]) await rate(size, warmUp);
    return {
      measure: async () => ({ single: await rate(1, turn), batch: await rate(batchSize, turn) }),
      close: async () => client.close(),
    };
  },
};
