import { randomUUID } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { findFreePort } from "../../../scripts/free-port.ts";
import { ProcessGroup } from "../../../scripts/process-group.ts";
import { peersDirectory } from "../install-peers.ts";
import { awaitAnswer } from "./await-answer.ts";
import type { StreamService } from "./stream-service.ts";

const host = "127.0.0.1";

/** The reference server of Durable Streams, in memory or with its streams in files of `directory`. */
export async function startStreamsReference(
  name: "streams-memory" | "streams-file",
  directory: string,
): Promise<StreamService> {
  const data = join(directory, "data");
  await mkdir(data, { recursive: true });
  const port = await findFreePort(host);
  const logFile = join(directory, "server.log");
  const server = await ProcessGroup.spawn({
    command: process.execPath,
    args: [
      join(peersDirectory, "streams-server.mjs"),
      String(port),
      ...(name === "streams-file" ? [data] : []),
    ],
    cwd: directory,
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"] },
    logFile,
  });
  const url = new URL(`http://${host}:${port}`);
  await awaitAnswer(url, server).catch(async (error: unknown) => {
    throw new Error(await readFile(logFile, "utf8"), { cause: error });
  });
  return {
    name,
    nextUrl: () => new URL(`/v1/stream/bench-${randomUUID()}`, url),
    headers: {},
    dispose: async () => {
      await server.stop(0);
    },
  };
}
