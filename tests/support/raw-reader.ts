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

/** A client that takes what comes and throws it away. */
export const openRawReader = (edge: Edge, path: string): Promise<Socket> =>
  ask(edge, path, () => true);

async function ask(edge: Edge, path: string, takeMore: () => boolean): Promise<Socket> {
  const { hostname, port } = new URL(edge.url);
  const socket = connect({
    host: hostname,
    port: Number(port),
    onread: { buffer: Buffer.alloc(4096), callback: takeMore },
  });
  // Being cut off is what may happen to it.
  socket.on("error", () => undefined);
  releaseAtEnd(() => void socket.destroy());
  await once(socket, "connect");
  const head = [`GET ${path} HTTP/1.1`, `Host: ${hostname}`, `X-Agent-Api-Key: ${edge.apiKey}`];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  return socket;
}
