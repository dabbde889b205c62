import { parseArgs } from "node:util";
import { startGitServer } from "./git-server.ts";

// Prints its address when it listens. A variable, since arguments show in the process list that a test may search.
const { values } = parseArgs({ options: { root: { type: "string" }, user: { type: "string" } } });
const { root = ".", user = "" } = values;
const server = await startGitServer({ root, user, password: process.env["GIT_PASSWORD"] ?? "" });
process.stdout.write(`${server.url}\n`);

const stop = (): void => void server.stop();
process.once("SIGTERM", stop);
process.once("SIGINT", stop);
