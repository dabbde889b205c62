import { connect, createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { releaseAtEnd } from "./cleanup.ts";

/** Seen from the client that connects through the proxy. */
type Direction = "requests" | "answers";

/**
 * What becomes of one connection: its requests never arrive; or what the server says behind the answer to the first
 * request (a WebSocket's messages) is lost, silently or because the connection breaks at that moment.
 */
export type Fate = "pass" | "lose_requests" | "lose_messages" | "break_at_message";

/** A fate that strikes when the server has said so many pieces more, as they come over the wire. */
export interface LateFate {
  readonly fate: Fate;
  readonly afterPieces: number;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  fate: LateFate;
  answers: number;
}

/**
 * A network between two processes that can fail. It passes bytes as they come, or holds them
 * (`blackhole`: nobody notices anything but silence), or cuts (`cut`: every connection ends, new ones are refused).
 * `restore` passes bytes again, those held included, as TCP would after a partition. `slow` makes a direction
 * take its time, so that a test can cut between a message and its answer.
 */
export class TcpProxy {
  readonly port: number;
  /** Bytes that came in from clients so far. */
  requested = 0;
  /** Decides about each new connection by the first line of its first request. */
  fateOf: (requestLine: string) => Fate | LateFate = () => "pass";
  readonly #server: Server;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #pairs = new Set<Pair>();
  readonly #held = new Set<Direction>();
  readonly #losers = new Set<Pair>();
  readonly #lagMs: Record<Direction, number> = { requests: 0, answers: 0 };
  #isCut = false;

  private constructor(server: Server, port: number, target: string) {
    this.#server = server;
    this.port = port;
    const { hostname, port: targetPort } = new URL(target);
    this.#target = { host: hostname, port: Number(targetPort) };
    server.on("connection", (client) => this.#accept(client));
  }

  /** Listens on a free port and passes to `target`, an http URL. */
  static async start(target: string): Promise<TcpProxy> {
    const server = createServer({ pauseOnConnect: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const proxy = new TcpProxy(server, address.port, target);
    releaseAtEnd(() => proxy.close());
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Open connections through the proxy. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** Connections that have lost something to their fate. */
  get losses(): number {
    return this.#losers.size;
  }

  /** Ends every connection and refuses new ones. */
  cut(): void {
    this.#isCut = true;
    this.dropConnections();
  }

  /** Ends every connection; new ones are welcome. */
  dropConnections(): void {
    for (const pair of this.#pairs) this.#end(pair);
  }

  /** Holds bytes back: both directions, or one (`answers`: what is sent arrives, no reply comes back). */
  blackhole(...directions: readonly Direction[]): void {
    for (const direction of directions.length > 0 ? directions : (["requests", "answers"] as const))
      this.#held.add(direction);
    this.#apply();
  }

  /** Lets the bytes of a direction arrive later; what is on its way when a connection ends is lost. */
  slow(direction: Direction, lagMs: number): void {
    this.#lagMs[direction] = lagMs;
  }

  restore(): void {
    this.#isCut = false;
    this.#held.clear();
    this.#lagMs.requests = 0;
    this.#lagMs.answers = 0;
    this.#apply();
  }

  async close(): Promise<void> {
    this.cut();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }

  #accept(client: Socket): void {
    if (this.#isCut) {
      client.resetAndDestroy();
      return;
    }
    const fate = { fate: "pass", afterPieces: 0 } as const;
    const pair: Pair = { client, server: connect(this.#target), fate, answers: 0 };
    this.#pairs.add(pair);
    client.once("data", (bytes) => {
      const drawn = this.fateOf(bytes.toString("latin1").split("\r\n")[0] ?? "");
      pair.fate = typeof drawn === "string" ? { fate: drawn, afterPieces: 0 } : drawn;
    });
    for (const [direction, from, to] of [
      ["requests", pair.client, pair.server],
      ["answers", pair.server, pair.client],
    ] as const) {
      from.setNoDelay(true);
      from.on("data", (bytes) => {
        if (this.#isLost(pair, from)) return;
        if (direction === "requests") this.requested += bytes.length;
        const lagMs = this.#lagMs[direction];
        if (lagMs > 0) setTimeout(() => to.destroyed || to.write(bytes), lagMs).unref();
        else if (!to.write(bytes)) from.pause();
      });
      to.on("drain", () => this.#flow(pair));
      from.on("end", () => to.end());
      from.on("error", () => this.#end(pair));
      from.on("close", () => {
        this.#pairs.delete(pair);
        to.destroySoon();
      });
    }
    this.#flow(pair);
  }

  #isLost(pair: Pair, from: Socket): boolean {
    if (from === pair.server) pair.answers += 1;
    const { fate, afterPieces } = pair.fate;
    const isLost =
      fate === "lose_requests"
        ? from === pair.client && pair.answers >= afterPieces
        : fate !== "pass" && from === pair.server && pair.answers > afterPieces + 1;
    if (!isLost) return false;
    this.#losers.add(pair);
    if (fate === "break_at_message") this.#end(pair);
    return true;
  }

  #apply(): void {
    for (const pair of this.#pairs) this.#flow(pair);
  }

  #flow({ client, server }: Pair): void {
    if (this.#held.has("requests")) client.pause();
    else client.resume();
    if (this.#held.has("answers")) server.pause();
    else server.resume();
  }

  #end(pair: Pair): void {
    this.#pairs.delete(pair);
    // A reset rather than an orderly end: a network that fails says no goodbye.
    pair.client.resetAndDestroy();
    pair.server.resetAndDestroy();
  }
}
