import { encodeMessage, type Inbox, type WebSocketClient } from "./web-socket-client.ts";

/** What a platform answers to frames. Both sides of the bench speak this part of the runner protocol. */
interface Ack {
  readonly type: string;
  readonly producerSeq?: number;
}

const stuckMs = 60_000;

/** Sends frames with a window and knows which of them are durable. */
export class FrameProducer {
  readonly #client: WebSocketClient;
  #sent = 0;
  #acked = 0;
  #onAck: () => void = () => undefined;
  #failure: Error | undefined;

  /** `inbox` receives what the socket says. */
  constructor(client: WebSocketClient, inbox: Inbox) {
    this.#client = client;
    inbox.forward((text) => this.#receive(text));
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

  /** Sends the attempt's last frame; resolves when it and all before it are durable. */
  async finish(outcome: object): Promise<void> {
    this.tell({ type: "frame", producerSeq: (this.#sent += 1), events: [], outcome });
    while (this.#acked < this.#sent) await this.#nextAck();
  }

  tell(message: object): void {
    this.#client.send(encodeMessage(JSON.stringify(message)));
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
