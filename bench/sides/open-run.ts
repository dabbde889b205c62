import { randomUUID } from "node:crypto";
import { Claimed, Offer, runnerPaths } from "@millrace/contracts";
import { FrameProducer } from "../clients/frame-producer.ts";
import { Inbox, WebSocketClient, encodeMessage } from "../clients/web-socket-client.ts";
import { createProject, createRequest, postJson, type Platform } from "./platform.ts";
import type { BenchLog } from "./side.ts";

const heartbeatMs = 10_000;

/** A run that the bench itself executes: it joins the pool, takes the offer and claims, as a runner does. */
export async function openRun(platform: Platform): Promise<BenchLog> {
  const runnerId = randomUUID();
  const projectId = await createProject(platform);
  const offer = await takeOffer(platform, runnerId, projectId);
  const { claimed, producer } = await claim(platform, runnerId, offer);
  const heartbeat = setInterval(() => producer.tell({ type: "heartbeat", id: 1 }), heartbeatMs);
  const streamPath = `/v1/projects/${projectId}/runs/${offer.runId}/stream`;
  return {
    producer,
    tail: claimed.tail,
    stream: (after) => ({
      url: new URL(`${streamPath}?after=${after}`, platform.url),
      headers: { "x-agent-api-key": platform.apiKey },
    }),
    close: async () => {
      clearInterval(heartbeat);
      await producer.finish({ kind: "succeeded", output: "" });
      producer.close();
    },
  };
}

async function takeOffer(platform: Platform, runnerId: string, projectId: string): Promise<Offer> {
  const inbox = new Inbox();
  const pool = await WebSocketClient.connect(
    new URL(runnerPaths.poolSocket("default"), platform.url),
    { authorization: `Bearer ${platform.poolToken}` },
    (text) => inbox.put(text),
  );
  const tell = (message: object): void => pool.send(encodeMessage(JSON.stringify(message)));
  tell({ type: "hello", runnerId, version: "bench", slots: 1, free: 1 });
  const { id } = await postJson(createRequest(platform, projectId, { prompt: "Say hello." }));
  for (;;) {
    const message: unknown = JSON.parse(await inbox.next());
    const offer = Offer.safeParse(message).data;
    if (offer?.runId !== id) continue;
    tell({ type: "accept", runId: offer.runId, attempt: offer.attempt });
    pool.close();
    return offer;
  }
}

async function claim(
  platform: Platform,
  runnerId: string,
  offer: Offer,
): Promise<{ readonly claimed: Claimed; readonly producer: FrameProducer }> {
  const inbox = new Inbox();
  const socket = await WebSocketClient.connect(
    new URL(runnerPaths.runSocket(offer.runId), platform.url),
    { authorization: `Bearer ${offer.token}` },
    (text) => inbox.put(text),
  );
  const { attempt } = offer;
  socket.send(encodeMessage(JSON.stringify({ type: "claim", runnerId, attempt })));
  const claimed = Claimed.parse(JSON.parse(await inbox.next()));
  return { claimed, producer: new FrameProducer(socket, inbox) };
}
