import { WebSocketClient, encodeMessage } from "./web-socket-client.ts";

/** What a platform answers to frames. Both sides of the bench speak this part of the runner protocol. */
interface Ack {
  readonly type: string;
  readonly producerSeq?: number;
}

const stuckMs = 60_000;

/** Sends frames with a window and knows which of them are durable. */
export class FrameProducer {
  readonly #client: WebSocketClient;
  #sent: number;
  #acked: number;
  #onAck: () => void = () => undefined;
  #failure: Error | undefined;

  private constructor(client: WebSocketClient, producerSeq: number) {
    this.#client = client;
    this.#sent = producerSeq;
    this.#acked = producerSeq;
  }

  /** `greet` speaks first on a fresh socket and answers the last producerSeq that the platform has seen. */
  static async connect(
    url: URL,
    headers: Readonly<Record<string, string>>,
    greet: (send: (text: string) => void, next: () => Promise<string>) => Promise<number>,
  ): Promise<FrameProducer> {
    const inbox: string[] = [];
    let wake: (() => void) | undefined;
    let producer: FrameProducer | undefined;
    const client = await WebSocketClient.connect(url, headers, (text) => {
      if (producer) return producer.#receive(text);
      inbox.push(text);
      wake?.();
    });
    const next = async (): Promise<string> => {
      while (inbox.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return inbox.shift() ?? "";
    };
    const producerSeq = await greet((text) => client.send(encodeMessage(text)), next);
    producer = new FrameProducer(client, producerSeq);
    for (const text of inbox) producer.#receive(text);
    return producer;
  }

  /** Encodes frames that continue after the last one sent, each with these events. */
  encode(frames: readonly (readonly unknown[])[]): Buffer[] {
    return frames.map((events, i) =>
      encodeMessage(JSON.stringify({ type: "frame", producerSeq: this.#sent + i + 1, events })),
    );
  }

  /** Sends one encoded frame without waiting for its ack. */
  send(frame: Buffer): void {
    this.#sent += 1;
    this.#client.send(frame);
  }

  /** Sends frames with at most `window` unacked; resolves when the last one is acked. */
  async sendAll(frames: readonly Buffer[], window: number): Promise<void> {
    let next = 0;
    const base = this.#sent;
    const target = base + frames.length;
    while (this.#acked < target) {
      const end = Math.min(frames.length, this.#acked - base + window);
      if (end > next) {
        this.#client.send(
          end - next === 1 ? at(frames, next) : Buffer.concat(frames.slice(next, end)),
        );
        next = end;
        this.#sent = base + end;
      }
      await this.#nextAck();
    }
  }

  /** Resolves when everything that was sent is durable. */
  async drained(): Promise<void> {
    while (this.#acked < this.#sent) await this.#nextAck();
  }

  close(): void {
    this.#client.close();
  }

  #receive(text: string): void {
    const message = JSON.parse(text) as Ack;
    if (message.type === "refused")
      this.#failure = new Error(`the platform refused a frame: ${text}`);
    if (message.type === "ack") this.#acked = Math.max(this.#acked, message.producerSeq ?? 0);
    this.#onAck();
  }

  async #nextAck(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error(`no ack in ${stuckMs} ms`)), stuckMs);
    this.#onAck = resolve;
    try {
      await promise;
    } finally {
      clearTimeout(timer);
    }
    if (this.#failure) throw this.#failure;
  }
}

function at(frames: readonly Buffer[], index: number): Buffer {
  const frame = frames[index];
  if (!frame) throw new RangeError(`no frame ${index}`);
  return frame;
}
