import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { stream } from "@durable-streams/client";
import { expect, it } from "vitest";
import { startPlatform, type Platform } from "../support/platform.ts";
import { waitUntil } from "../support/wait-until.ts";

const writers = 6;
const appends = 60;
const path = `/v1/stream/killed-${randomUUID()}`;

interface Message {
  readonly writer: number;
  readonly seq: number;
}

/** Appends in order, each again until it is answered: what was written and not acknowledged is sent twice. */
async function write(platform: Platform, writer: number, onAck: () => void): Promise<void> {
  for (let seq = 0; seq < appends;) {
    const headers = {
      "producer-id": `writer-${writer}`,
      "producer-epoch": "0",
      "producer-seq": String(seq),
    };
    const answer = await platform.api
      .request("POST", path, { body: { writer, seq }, headers })
      .catch(() => null);
    if (answer === null || answer.status >= 500) {
      await sleep(50);
      continue;
    }
    expect([200, 204]).toContain(answer.status);
    seq += 1;
    onAck();
    await sleep(20);
  }
}

/** Reads to the stream's end, and goes on from the last offset whenever the edge takes the response away. */
async function read(platform: Platform, seen: Message[]): Promise<void> {
  for (let offset = "-1", closed = false; !closed; await sleep(50)) {
    const live = await stream<Message>({
      url: `${platform.url}${path}`,
      headers: { authorization: `Bearer ${platform.apiKey}` },
      offset,
      live: "long-poll",
    }).catch(() => null);
    live?.subscribeJson((batch) => {
      seen.push(...batch.items);
      offset = batch.offset;
    });
    closed = (await live?.closed.then(() => live.streamClosed).catch(() => false)) ?? false;
  }
}

it("a stream whose edge is killed loses no append, doubles none, and misleads no reader", async () => {
  const platform = await startPlatform();
  expect((await platform.api.request("PUT", path, { body: [] })).status).toBe(201);
  const seen: Message[] = [];
  const reader = read(platform, seen);
  let acked = 0;
  const writing = Array.from({ length: writers }, (_, writer) =>
    write(platform, writer, () => {
      acked += 1;
    }),
  );
  for (const part of [0.2, 0.5, 0.8]) {
    await waitUntil("enough is written", () => acked > writers * appends * part);
    await platform.restart();
  }
  await Promise.all(writing);
  const close = { headers: { "stream-closed": "true" } };
  expect((await platform.api.request("POST", path, close)).status).toBe(204);

  const all = (await platform.api.request("GET", path)).body as readonly Message[];
  expect(all).toHaveLength(writers * appends);
  for (let writer = 0; writer < writers; writer += 1) {
    const seqs = all.filter((message) => message.writer === writer).map(({ seq }) => seq);
    expect(seqs).toEqual(Array.from({ length: appends }, (_, seq) => seq));
  }
  await reader;
  expect(seen).toEqual(all);
});
