import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { releaseAtEnd } from "./cleanup.ts";

interface Edge {
  readonly url: string;
  readonly apiKey: string;
}

/**
 * A client that asks for a stream and never takes a byte of it. It has no receive buffer of its own, and the kernel's
 * does not grow for one that does not read: soon the edge cannot write to it any more.
 */
export const openStalledReader = (edge: Edge, path: string): Promise<Socket> =>
  ask(edge, path, () => false);

/** A client that reads up to a text and leaves, with nothing unread: else TCP would say more than goodbye. */
export async function readAndLeave(edge: Edge, path: string, text: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let read = "";
  const socket = await ask(edge, path, (bytes) => {
    read += bytes.toString("latin1");
    if (read.includes(text)) resolve();
    return true;
  });
  await promise;
  socket.destroy();
}

async function ask(edge: Edge, path: string, take: (bytes: Buffer) => boolean): Promise<Socket> {
  const { hostname, port } = new URL(edge.url);
  const buffer = Buffer.alloc(4096);
  const socket = connect({
    host: hostname,
    port: Number(port),
    onread: { buffer, callback: (length) => take(buffer.subarray(0, length)) },
  });
  // Being cut off is what may happen to it.
  socket.on("error", () => undefined);
  releaseAtEnd(() => void socket.destroy());
  await once(socket, "connect");
  const head = [`GET ${path} HTTP/1.1`, `Host: ${hostname}`, `X-Agent-Api-Key: ${edge.apiKey}`];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  return socket;
}
