import type { Context } from "hono";
import type { CallerEnv } from "../../edge-env.ts";
import { threadObject } from "../../objects.ts";
import { problem } from "../../problem.ts";
import { projectRows } from "../../projectors/v1/frames.ts";
import { letGo, socketOf, takeReaderPlace, tooManyReaders } from "../../reader-place.ts";
import { RunLog, type Pruned } from "../../run-log.ts";
import { sseStream } from "../../sse-bridge.ts";
import { refusePruned } from "../../pruned.ts";

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
  const log = new RunLog(c.env, { orgId: c.var.caller.orgId, ...path });
  const [place, opened] = await Promise.all([takeReaderPlace(c), openKnown(c, path, log, after)]);
  if (!(opened instanceof WebSocket) || place === null) {
    place?.leave();
    if (opened instanceof WebSocket) letGo(opened);
    return refuse(c, path, opened instanceof WebSocket ? "readers_per_org" : opened);
  }
  const source = {
    open: async (cursor: number) => socketOf(await log.open({ after: cursor })),
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

function refuse(
  c: Context<CallerEnv>,
  { runId }: RunPath,
  reason: NotOpened | Pruned | "readers_per_org",
): Response {
  if (typeof reason !== "string") return refusePruned(c, runId, reason);
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
  log: RunLog,
  after: number,
): Promise<WebSocket | Pruned | NotOpened> {
  const first = await log.open({ after });
  if (first !== null) return first;
  if ((await isKnown(c, path)) === "not_found") return "not_found";
  for (const delayMs of initDelaysMs) {
    await scheduler.wait(delayMs);
    const retried = await log.open({ after });
    if (retried !== null) return retried;
  }
  return "unavailable";
}
