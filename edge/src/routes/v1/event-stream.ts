import { runSocketPaths } from "@millrace/durable-objects";
import type { Context } from "hono";
import type { CallerEnv } from "../../edge-env.ts";
import { runObject, threadObject } from "../../objects.ts";
import { problem } from "../../problem.ts";
import { projectRows } from "../../projectors/v1/frames.ts";
import {
  letGo,
  openedReader,
  socketOf,
  takeReaderPlace,
  tooManyReaders,
  type OpenedReader,
} from "../../reader-place.ts";
import { sseStream } from "../../sse-bridge.ts";

export interface RunPath {
  readonly projectId: string;
  readonly runId: string;
}

export interface Resume {
  readonly "last-event-id"?: number | undefined;
  readonly after?: number | undefined;
}

/** A run that its thread has accepted may need a moment until its object knows it. */
const initDelaysMs = [20, 50, 100, 200, 400, 800, 1600] as const;

/** Answers with the run's events after the client's cursor; `Last-Event-ID` wins over `after`. */
export async function answerWithEvents(
  c: Context<CallerEnv>,
  path: RunPath,
  resume: Resume,
): Promise<Response> {
  const after = resume["last-event-id"] ?? resume.after ?? 0;
  // What a HEAD asks for has no body: a reader that nobody reads would never end.
  if (c.req.method === "HEAD") return answerHead(c, path);
  const [place, opened] = await Promise.all([takeReaderPlace(c), openKnown(c, path, after)]);
  if (typeof opened === "string" || place === null) {
    place?.leave();
    if (typeof opened !== "string") letGo(opened);
    return refuse(c, typeof opened === "string" ? opened : "readers_per_org");
  }
  const source = {
    open: async (cursor: number) => socketOf(await openReader(c, path, cursor)),
    project: (rows: string, cursor: number) => projectRows(rows, cursor, path),
    left: place.leave,
  };
  return c.newResponse(sseStream(source, opened, after), 200, headersOf(path));
}

async function answerHead(c: Context<CallerEnv>, path: RunPath): Promise<Response> {
  const known = await isKnown(c, path);
  return known === "known" ? c.newResponse(null, 200, headersOf(path)) : problem(c, known);
}

const headersOf = ({ runId }: RunPath) => ({
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  // Proxies that collect a response before passing it on would hold back every event.
  "x-accel-buffering": "no",
  "x-run-id": runId,
});

type NotOpened = "not_found" | "unavailable" | "readers_per_log";

function refuse(c: Context<CallerEnv>, reason: NotOpened | "readers_per_org"): Response {
  switch (reason) {
    case "not_found":
      return problem(c, "not_found");
    case "unavailable":
      return problem(c, "unavailable", { retryAfterSeconds: 1 });
    case "readers_per_log":
    case "readers_per_org":
      return tooManyReaders(c, reason);
  }
}

async function isKnown(c: Context<CallerEnv>, path: RunPath): Promise<"known" | "not_found"> {
  const thread = threadObject(c.env, c.var.caller.orgId, path.projectId);
  return (await thread.run(path.runId)) === null ? "not_found" : "known";
}

async function openKnown(
  c: Context<CallerEnv>,
  path: RunPath,
  after: number,
): Promise<WebSocket | NotOpened> {
  const first = await openReader(c, path, after);
  if (first !== null) return first;
  if ((await isKnown(c, path)) === "not_found") return "not_found";
  for (const delayMs of initDelaysMs) {
    await scheduler.wait(delayMs);
    const retried = await openReader(c, path, after);
    if (retried !== null) return retried;
  }
  return "unavailable";
}

/** A reader's socket at the run object, not accepted yet; null when the object has no such run. */
async function openReader(
  c: Context<CallerEnv>,
  { projectId, runId }: RunPath,
  after: number,
): Promise<OpenedReader> {
  const url = new URL(runSocketPaths.read, "https://run");
  url.searchParams.set("projectId", projectId);
  url.searchParams.set("after", String(after));
  const run = runObject(c.env, c.var.caller.orgId, runId);
  return openedReader(await run.fetch(url.href, { headers: { upgrade: "websocket" } }));
}
