import { randomUUID } from "node:crypto";
import { cp, mkdir, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { findFreePort } from "../../../scripts/free-port.ts";
import { ProcessGroup } from "../../../scripts/process-group.ts";
import type { StreamRequest } from "../../clients/sse-reader.ts";
import { peersDirectory } from "../install-peers.ts";
import { awaitAnswer } from "./await-answer.ts";
import { emittedEvents, type PreparedRun, type RunService, type Work } from "./run-service.ts";

const host = "127.0.0.1";
const graphOf = { answer: "one_node", emit: "thousand_events" } as const;
const last = `"n":${emittedEvents - 1},`;

/**
 * `langgraphjs dev` with its ten workers, in a project of its own that lies in `directory`: the server writes
 * `.langgraph_api` into it.
 */
export async function startLangGraph(directory: string): Promise<RunService> {
  await mkdir(directory, { recursive: true });
  for (const name of ["langgraph.json", "graphs"]) {
    await cp(join(peersDirectory, name), join(directory, name), { recursive: true });
  }
  await symlink(join(peersDirectory, "node_modules"), join(directory, "node_modules"));
  const port = await findFreePort(host);
  const logFile = join(directory, "server.log");
  const server = await ProcessGroup.spawn({
    command: process.execPath,
    args: [
      join(peersDirectory, "node_modules/@langchain/langgraph-cli/dist/cli/cli.mjs"),
      "dev",
      "--no-browser",
      "--no-reload",
      `--host=${host}`,
      `--port=${port}`,
    ],
    cwd: directory,
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], LANGSMITH_TRACING: "false" },
    logFile,
  });
  const url = new URL(`http://${host}:${port}`);
  await awaitAnswer(new URL("/ok", url), server).catch(async (error: unknown) => {
    throw new Error(await readFile(logFile, "utf8"), { cause: error });
  });
  return {
    name: "langgraph",
    openClient: async () => {
      const threadId = randomUUID();
      const opened = await fetch(new URL("/threads", url), {
        ...post({ thread_id: threadId }),
      });
      if (!opened.ok) throw new Error(`POST /threads answered ${opened.status}`);
      return { next: (work) => prepare(new URL(`/threads/${threadId}/runs/`, url), work) };
    },
    dispose: async () => {
      await server.stop(0);
    },
  };
}

function prepare(runs: URL, work: Work): PreparedRun {
  const call = (path: string, mode: string): StreamRequest => ({
    url: new URL(path, runs),
    ...post({ assistant_id: graphOf[work], input: { messages: [] }, stream_mode: [mode] }),
  });
  return {
    stream: call("stream", work === "emit" ? "custom" : "values"),
    // Which it sends when a worker takes the run: earlier than anything that the graph itself does.
    isFirst: (event) => event.startsWith("event: metadata\n"),
    isLast: (event) => event.startsWith("event: custom\n") && event.includes(last),
    wait: call("wait", "values"),
  };
}

function post(body: object): Omit<StreamRequest, "url" | "method"> & { readonly method: "POST" } {
  return {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  };
}
