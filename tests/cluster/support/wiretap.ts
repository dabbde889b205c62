import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { releaseAtEnd } from "../../support/cleanup.ts";

interface Connection {
  readonly sent: Buffer[];
  readonly answered: Buffer[];
}

/** Passes everything on to an edge and remembers it, to tell what a cluster sent and was sent. */
export class Wiretap {
  readonly url: string;
  readonly #connections: readonly Connection[];

  private constructor(port: number, connections: readonly Connection[]) {
    this.url = `http://127.0.0.1:${port}`;
    this.#connections = connections;
  }

  /** In front of `target`, an http URL, until the end of the test or file. */
  static async start(target: string): Promise<Wiretap> {
    const { hostname: host, port } = new URL(target);
    const connections: Connection[] = [];
    const sockets = new Set<Socket>();
    const server = createServer((near) => {
      const far = connect({ host, port: Number(port) });
      const heard: Connection = { sent: [], answered: [] };
      connections.push(heard);
      pass(near, far, heard.sent);
      pass(far, near, heard.answered);
      for (const socket of [near, far]) {
        sockets.add(socket);
        socket.once("close", () => sockets.delete(socket));
      }
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    releaseAtEnd(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    return new Wiretap((server.address() as AddressInfo).port, connections);
  }

  /** What the cluster said, a text per connection: requests as they are, the messages of a socket without their masks. */
  sent(): readonly string[] {
    return this.#connections.map(({ sent }) => unmask(Buffer.concat(sent)));
  }

  /** What it was told, a text per connection. The edge masks nothing. */
  answered(): readonly string[] {
    return this.#connections.map(({ answered }) => Buffer.concat(answered).toString());
  }
}

function pass(from: Socket, to: Socket, heard: Buffer[]): void {
  from.on("data", (bytes) => heard.push(bytes));
  from.on("error", () => to.destroy());
  from.on("close", () => to.destroy());
  from.pipe(to);
}

const headEnd = "\r\n\r\n";

function unmask(bytes: Buffer): string {
  const end = bytes.indexOf(headEnd) + headEnd.length;
  const head = bytes.subarray(0, end).toString();
  if (!/^upgrade: websocket\r$/im.test(head)) return bytes.toString();
  return [head, ...messagesIn(bytes.subarray(end))].join("\n");
}

/** A client's messages (RFC 6455, section 5.2). */
function* messagesIn(bytes: Buffer): Generator<string> {
  for (let at = 0; at + 6 <= bytes.length;) {
    const short = bytes.readUInt8(at + 1) & 0x7f;
    const more = short === 127 ? 8 : short === 126 ? 2 : 0;
    const size =
      more === 0 ? short : bytes.readUIntBE(at + 2 + (more === 8 ? 2 : 0), Math.min(more, 6));
    const mask = bytes.subarray(at + 2 + more, at + 6 + more);
    const body = bytes.subarray(at + 6 + more, at + 6 + more + size);
    yield Buffer.from(body.map((byte, i) => byte ^ (mask[i % 4] ?? 0))).toString();
    at += 6 + more + size;
  }
}
