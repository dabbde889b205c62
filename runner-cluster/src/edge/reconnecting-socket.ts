import { WebSocket } from "ws";
import type { Logger } from "../log.ts";
import { socketAgent } from "./proxy.ts";
import { backoffMs, reconnectBounds } from "./backoff.ts";

const handshakeMs = 5_000;
/** A connection that is silent this long after a ping is dead, whatever TCP believes. */
const pingMs = 5_000;

export interface SocketOptions {
  readonly url: URL;
  /** Asked at every connect: tokens are renewed while a connection is down. */
  readonly token: () => string;
  readonly log: Logger;
  readonly onOpen: () => void;
  readonly onMessage: (text: string) => void;
  readonly onClose: () => void;
  /** The edge answered the upgrade with this HTTP status instead. */
  readonly onDenied: (status: number) => void;
}

/** A WebSocket to the edge that comes back by itself until `close`. What was sent into a dying connection is lost. */
export class ReconnectingSocket {
  readonly #options: SocketOptions;
  #socket: WebSocket | undefined;
  #retry: NodeJS.Timeout | undefined;
  #ping: NodeJS.Timeout | undefined;
  #tries = 0;
  #error: string | undefined;
  #heard = true;
  #closed = false;

  constructor(options: SocketOptions) {
    this.#options = options;
  }

  open(): void {
    if (this.#closed || this.#socket) return;
    const socket = new WebSocket(this.#options.url, {
      headers: { authorization: `Bearer ${this.#options.token()}` },
      handshakeTimeout: handshakeMs,
      perMessageDeflate: false,
      ...socketAgent(this.#options.url),
    });
    this.#socket = socket;
    socket.on("open", () => this.#opened(socket));
    socket.on("message", (data, isBinary) => this.#received(socket, data, isBinary));
    socket.on("pong", () => (this.#heard = true));
    socket.on("unexpected-response", (_request, response) => {
      response.resume();
      this.#options.onDenied(response.statusCode ?? 0);
      socket.terminate();
    });
    // Every error is followed by "close", where the next try is planned.
    socket.on("error", (error) => (this.#error = error.message));
    socket.on("close", () => this.#lost(socket));
  }

  /** False when there is no connection to write to. */
  send(text: string): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(text);
    return true;
  }

  /** Gives up this connection and makes another. */
  drop(): void {
    this.#socket?.terminate();
  }

  /** No more connections. What was sent before is still delivered. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#retry);
    clearInterval(this.#ping);
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.close(1000);
    else this.#socket?.terminate();
  }

  #opened(socket: WebSocket): void {
    if (this.#closed) return socket.terminate();
    this.#heard = true;
    this.#ping = setInterval(() => {
      if (!this.#heard) return socket.terminate();
      this.#heard = false;
      socket.ping();
    }, pingMs);
    this.#options.onOpen();
  }

  #received(socket: WebSocket, data: WebSocket.RawData, isBinary: boolean): void {
    if (this.#closed || socket !== this.#socket || isBinary) return;
    this.#heard = true;
    // Only a message proves that somebody is there: an edge that accepts and closes at once must not be hammered.
    this.#tries = 0;
    this.#options.onMessage(textOf(data));
  }

  #lost(socket: WebSocket): void {
    if (socket !== this.#socket) return;
    this.#socket = undefined;
    clearInterval(this.#ping);
    if (this.#closed) return;
    if (this.#tries === 0) {
      this.#options.log.warn("no connection to the edge, trying again", { error: this.#error });
    }
    this.#error = undefined;
    this.#options.onClose();
    this.#retry = setTimeout(
      () => this.open(),
      backoffMs(this.#tries, reconnectBounds, Math.random()),
    );
    this.#tries += 1;
  }
}

function textOf(data: WebSocket.RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString("utf8");
  return Buffer.from(data as Buffer).toString("utf8");
}

/** The WebSocket address of a path at the edge. */
export function socketUrl(edgeUrl: string, path: string): URL {
  const url = new URL(path, edgeUrl);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}
