/**
 * Joins two network namespaces through a Unix socket on the disk that both see: `relay.ts LISTEN CONNECT`, each host:port or a
 * socket's path.
 */
import { rmSync } from "node:fs";
import { connect, createServer, type NetConnectOpts, type Server } from "node:net";

const parse = (end: string): NetConnectOpts & { readonly path?: string } => {
  if (end.startsWith("/")) return { path: end };
  const colon = end.lastIndexOf(":");
  return { host: end.slice(0, colon), port: Number(end.slice(colon + 1)) };
};

/** Every connection to `from` continues as one to `to`. Port 0 takes a free one. */
export async function relay(from: string, to: string): Promise<Server> {
  const options = parse(from);
  if (options.path) rmSync(options.path, { force: true });
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ ...parse(to), allowHalfOpen: true });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.pipe(other);
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options, resolve);
  });
  return server;
}

const [, script, from, to] = process.argv;
if (script === import.meta.filename && from && to) await relay(from, to);
