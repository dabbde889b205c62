import { createServer } from "node:net";

/** Can a server listen there now? */
export function isPortFree(host: string, port: number): Promise<boolean> {
  return listen(host, port).then(
    () => true,
    () => false,
  );
}

/** A port that nobody listens on. */
export function findFreePort(host: string): Promise<number> {
  return listen(host, 0);
}

function listen(host: string, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const server = createServer();
  server.once("error", reject);
  server.listen(port, host, () => {
    const address = server.address();
    server.close(() => {
      if (address === null || typeof address === "string") reject(new Error("no port"));
      else resolve(address.port);
    });
  });
  return promise;
}
