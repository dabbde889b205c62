import { PoolToRunner, runnerPaths, type Offer, type RunnerToPool } from "@millrace/contracts";
import type { Logger } from "../log.ts";
import { parseMessage } from "./parse-message.ts";
import { ReconnectingSocket, socketUrl } from "./reconnecting-socket.ts";

/** How a runner introduces itself. */
export type Hello = Extract<RunnerToPool, { type: "hello" }>;

export interface PoolSocketOptions {
  readonly edgeUrl: string;
  readonly pool: string;
  readonly token: () => string;
  /** Asked at every connect: the number of free slots changes while a connection is down. */
  readonly hello: () => Hello;
  readonly onOffer: (offer: Offer) => void;
  readonly log: Logger;
}

/** The runner's place in its pool: says what is free, hears offers. Nothing here is durable; the pool asks again. */
export class PoolSocket {
  readonly #options: PoolSocketOptions;
  readonly #socket: ReconnectingSocket;
  #saidDenied = false;

  constructor(options: PoolSocketOptions) {
    this.#options = options;
    this.#socket = new ReconnectingSocket({
      url: socketUrl(options.edgeUrl, runnerPaths.poolSocket(options.pool)),
      token: options.token,
      log: options.log,
      onOpen: () => this.say(options.hello()),
      onMessage: (text) => this.#receive(text),
      onClose: () => undefined,
      onDenied: (status) => this.#denied(status),
    });
  }

  open(): void {
    this.#socket.open();
  }

  say(message: RunnerToPool): void {
    this.#socket.send(JSON.stringify(message));
  }

  close(): void {
    this.#socket.close();
  }

  #receive(text: string): void {
    const parsed = parseMessage(PoolToRunner, text);
    if (!parsed.ok) {
      const { problem } = parsed;
      return this.#options.log.error("message from the pool is not understood", { problem });
    }
    const message = parsed.value;
    switch (message.type) {
      case "welcome":
        this.#saidDenied = false;
        return this.#options.log.info("joined the pool", { pool: message.pool });
      case "offer":
        return this.#options.onOffer(message);
      case "withdraw":
        // An offer is answered at once, so there is none to take back; a claim that comes too late is
        // refused, and the status that follows it gives the slot back.
        return undefined;
    }
  }

  /** The edge may be starting, or its token may be set right without this process being told: it keeps asking. */
  #denied(status: number): void {
    if (this.#saidDenied) return;
    this.#saidDenied = true;
    const hint = hints.get(status);
    this.#options.log.error("the edge does not let this runner join", { status, hint });
  }
}

const hints: ReadonlyMap<number, string> = new Map([
  [401, "is POOL_TOKEN the edge's?"],
  [404, "is EDGE_URL an edge's, and does POOL exist there?"],
]);
