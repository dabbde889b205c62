import type { Call, KeepAliveClient } from "../../clients/keep-alive-client.ts";
import { textDelta } from "../../figures/events.ts";
import type { StreamService } from "../services/stream-service.ts";

const json = { "content-type": "application/json" };

/** A new JSON stream. */
export async function createStream(client: KeepAliveClient, service: StreamService): Promise<URL> {
  const url = service.nextUrl();
  await client.send({ method: "PUT", url, headers: { ...service.headers, ...json } });
  return url;
}

/** `count` messages as one append takes them; each says its number as `n`, counted from `first`. */
export function streamMessages(first: number, count: number): string {
  const messages = Array.from({ length: count }, (_, i) => ({
    n: first + i,
    ...(textDelta(first + i) as object),
  }));
  return JSON.stringify(messages);
}

/** The numbers that stand in a text of messages, in their order. */
export function numbersIn(text: string): number[] {
  return Array.from(text.matchAll(/"n":(\d+)/g), ([, n]) => Number(n));
}

export function postOf({ headers }: StreamService, url: URL, body: string): Call {
  return { method: "POST", url, headers: { ...headers, ...json }, body };
}
