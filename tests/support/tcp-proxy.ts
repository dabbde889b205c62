import { connect, createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { releaseAtEnd } from "./cleanup.ts";

/** Seen from the client that connects through the proxy. */
type Direction = "requests" | "answers";

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

/**
 * A network between two processes that can fail. It passes bytes as they come, or holds them
 * (`blackhole`: nobody notices anything but silence), or cuts (`cut`: every connection ends, new ones are refused).
 * `restore` passes bytes again, those held included, as TCP would after a partition.
 */
export class TcpProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #pairs = new Set<Pair>();
  readonly #held = new Set<Direction>();
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

  restore(): void {
    this.#isCut = false;
    this.#held.clear();
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
    const pair = { client, server: connect(this.#target) };
    this.#pairs.add(pair);
    for (const [from, to] of [
      [pair.client, pair.server],
      [pair.server, pair.client],
    ] as const) {
      from.setNoDelay(true);
      from.on("data", (bytes) => {
        if (!to.write(bytes)) from.pause();
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
