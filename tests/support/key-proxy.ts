import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { releaseAtEnd } from "./cleanup.ts";

/** Forwards everything to the edge with an API key, for clients that cannot be told one. Answers its URL. */
export async function startKeyProxy(edgeUrl: string, key: string): Promise<string> {
  const server = createServer((incoming, outgoing) => forward(edgeUrl, key, incoming, outgoing));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  releaseAtEnd(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function forward(
  edgeUrl: string,
  key: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): void {
  const { method, url, headers } = incoming;
  const onward = request(`${edgeUrl}${url}`, {
    method,
    // The other header is for tokens that the client has of its own.
    headers: { ...headers, "x-agent-api-key": key },
  });
  onward.on("response", (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(outgoing);
    answer.on("error", () => outgoing.destroy());
  });
  onward.on("error", () => outgoing.destroy());
  // A client that leaves ends its request at the edge as well.
  outgoing.on("close", () => onward.destroy());
  incoming.pipe(onward);
}
