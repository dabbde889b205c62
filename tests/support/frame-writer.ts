import { randomUUID } from "node:crypto";
import { Offer, RunToRunner, runnerPaths, type RunnerEvent } from "@millrace/contracts";
import { releaseAtEnd } from "./cleanup.ts";
import type { Platform } from "./platform.ts";

/** Frames on their way without an ack, as a runner's own window. */
const window = 64;

/** A runner that writes what a test says, as fast as it is acked. It takes the run that `create` makes. */
export async function startFrameWriter(
  platform: Platform,
  create: () => Promise<{ readonly runId: string }>,
): Promise<FrameWriter> {
  const runnerId = randomUUID();
  const offers: Offer[] = [];
  const pool = await open(platform.url, runnerPaths.poolSocket("default"), platform.poolToken);
  pool.addEventListener("message", ({ data }) => {
    const offer = Offer.safeParse(JSON.parse(String(data)));
    if (offer.success) offers.push(offer.data);
  });
  const tell = (message: object): void => pool.send(JSON.stringify(message));
  tell({ type: "hello", runnerId, version: "test", slots: 1, free: 1 });
  const { runId } = await create();
  for (;;) {
    const offer = offers.find((one) => one.runId === runId);
    if (offer === undefined) {
      await new Promise((resolve) => pool.addEventListener("message", resolve, { once: true }));
      continue;
    }
    tell({ type: "accept", runId, attempt: offer.attempt });
    const socket = await open(platform.url, runnerPaths.runSocket(runId), offer.token);
    return FrameWriter.claim(socket, runnerId, offer.attempt);
  }
}

export class FrameWriter {
  readonly #socket: WebSocket;
  #sent = 0;
  #acked = 0;
  #heard: PromiseWithResolvers<void> = Promise.withResolvers<void>();

  static async claim(socket: WebSocket, runnerId: string, attempt: number): Promise<FrameWriter> {
    const writer = new FrameWriter(socket);
    const claimed = Promise.withResolvers<void>();
    socket.addEventListener("message", ({ data }) => {
      const message = RunToRunner.parse(JSON.parse(String(data)));
      if (message.type === "claimed") claimed.resolve();
      writer.#hear(message);
    });
    socket.send(JSON.stringify({ type: "claim", runnerId, attempt }));
    await claimed.promise;
    return writer;
  }

  private constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** Sends one frame, once the window has room for it. */
  async write(events: readonly RunnerEvent[], end: object = {}): Promise<void> {
    while (this.#sent - this.#acked >= window) await this.#heard.promise;
    this.#sent += 1;
    this.#socket.send(JSON.stringify({ type: "frame", producerSeq: this.#sent, events, ...end }));
  }

  /** The run's success, durable together with everything before it. */
  async succeed(): Promise<void> {
    await this.write([], { outcome: { kind: "succeeded", output: "" } });
    while (this.#acked < this.#sent) await this.#heard.promise;
  }

  #hear(message: RunToRunner): void {
    if (message.type === "refused") this.#heard.reject(new Error(`refused: ${message.code}`));
    if (message.type !== "ack") return;
    this.#acked = message.producerSeq;
    this.#heard.resolve();
    this.#heard = Promise.withResolvers<void>();
  }
}

async function open(url: string, path: string, token: string): Promise<WebSocket> {
  const target = new URL(path, url);
  target.protocol = "ws:";
  const headers = { authorization: `Bearer ${token}` };
  // Node's own option, beside those of the standard.
  const socket = new WebSocket(target, { headers });
  releaseAtEnd(() => socket.close());
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve, { once: true });
    socket.addEventListener("error", reject, { once: true });
  });
  return socket;
}
