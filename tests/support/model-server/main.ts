import { parseArgs } from "node:util";
import { startModelServer } from "./model-server.ts";

// Prints one line of JSON when it listens: whoever starts it as a process reads the address from there.
const { values } = parseArgs({
  options: { port: { type: "string" }, "api-key": { type: "string" } },
});
const apiKey = values["api-key"];
const server = await startModelServer({
  port: Number(values.port ?? 0),
  ...(apiKey === undefined ? {} : { apiKey }),
});
process.stdout.write(`${JSON.stringify({ url: server.url, port: server.port })}\n`);

const stop = (): void => void server.stop();
process.once("SIGTERM", stop);
process.once("SIGINT", stop);
