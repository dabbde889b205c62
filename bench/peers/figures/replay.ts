import { readEvents } from "../../clients/events.ts";
import { KeepAliveClient } from "../../clients/keep-alive-client.ts";
import type { Contest } from "../contender.ts";
import type { StreamService } from "../services/stream-service.ts";
import { createStream, numbersIn, postOf, streamMessages } from "./stream-messages.ts";

const messages = 100_000;
const batchSize = 500;
const bars = { "streams-memory": { atMost: 1 }, "streams-file": { atMost: 1 } } as const;

/** From the request of a stream's first message to its 100,000th at the client. */
export const replay: Contest<StreamService> = {
  name: "replay",
  metrics: [
    { key: "pages", title: "replay of 100,000 messages, catch-up reads", unit: "ms", bars },
    { key: "sse", title: "replay of 100,000 messages, server-sent events", unit: "ms", bars },
  ],
  open: async (service) => {
    const client = new KeepAliveClient(1);
    const url = await createStream(client, service);
    for (let first = 0; first < messages; first += batchSize) {
      await client.send(postOf(service, url, streamMessages(first, batchSize)));
    }
    const measure = async () => ({
      pages: await timed(() => readPages(client, service, url)),
      sse: await timed(() => readSse(service, url)),
    });
    await measure();
    return { measure, close: async () => client.close() };
  },
};

/** The ids are checked after the clock has stopped. */
async function timed(read: () => Promise<string>): Promise<number> {
  const start = performance.now();
  const text = await read();
  const took = performance.now() - start;
  const numbers = numbersIn(text);
  if (numbers.length !== messages || numbers.some((n, i) => n !== i)) {
    throw new Error(`a replay gave ${numbers.length} messages, or not in their order`);
  }
  return took;
}

async function readPages(
  client: KeepAliveClient,
  service: StreamService,
  url: URL,
): Promise<string> {
  const pages: Buffer[] = [];
  let offset = "-1";
  for (;;) {
    const page = new URL(url);
    page.searchParams.set("offset", offset);
    const { headers, body } = await client.send({
      method: "GET",
      url: page,
      headers: service.headers,
    });
    pages.push(body);
    if (headers["stream-up-to-date"] === "true") return Buffer.concat(pages).toString("latin1");
    offset = String(headers["stream-next-offset"]);
  }
}

async function readSse(service: StreamService, url: URL): Promise<string> {
  const live = new URL(url);
  live.searchParams.set("offset", "-1");
  live.searchParams.set("live", "sse");
  const events: string[] = [];
  await readEvents({ url: live, headers: service.headers }, (event) => {
    events.push(event);
    return event.startsWith("event: control") && event.includes('"upToDate":true');
  });
  return events.join("\n");
}
