// The reference server of Durable Streams, as a process of its own: node streams-server.mjs <port> [<data directory>]
import { DurableStreamTestServer } from "@durable-streams/server";

const [port, dataDir] = process.argv.slice(2);
const server = new DurableStreamTestServer({
  port: Number(port),
  host: "127.0.0.1",
  ...(dataDir !== undefined && { dataDir }),
});
await server.start();
