import { liveLogPaths, liveLogUrl } from "@millrace/durable-objects";
import type { Context } from "hono";
import { z } from "zod";
import type { CallerEnv } from "../../edge-env.ts";
import { liveLogObject, runObject } from "../../objects.ts";
import { problem } from "../../problem.ts";
import { logEndFrame, projectLogRows } from "../../projectors/v1/log-frames.ts";
import { letGo, takeReaderPlace, tooManyReaders } from "../../reader-place.ts";
import { sseStream } from "../../sse-bridge.ts";

interface Log {
  readonly orgId: string;
  readonly runId: string;
  readonly attempt: number;
  readonly container: string;
}

const Refusal = z.object({ code: z.string(), message: z.string() });
type Refusal = z.infer<typeof Refusal>;

/** A container that is about to start needs a few seconds. */
const retryAfterSeconds = 2;

/** Answers with what the container writes, line by line, after the line of this id. */
export async function followLog(c: Context<CallerEnv>, log: Log, after: number): Promise<Response> {
  const pool = await poolOf(c, log);
  if (pool === null) return problem(c, "not_found");
  // What a HEAD asks for has no body: a reader that nobody reads would never end.
  if (c.req.method === "HEAD") return c.newResponse(null, 200, headers);
  const open = (cursor: number) => openReader(c, { ...log, pool }, cursor);
  const [place, opened] = await Promise.all([takeReaderPlace(c), open(after)]);
  if (place === null) {
    if (opened instanceof WebSocket) letGo(opened);
    return tooManyReaders(c, "readers_per_org");
  }
  if (!(opened instanceof WebSocket)) {
    place.leave();
    return refuse(c, opened);
  }
  const source = {
    open: async (cursor: number) => {
      const again = await open(cursor);
      return again instanceof WebSocket ? again : null;
    },
    project: projectLogRows,
    ending: logEndFrame,
    left: place.leave,
  };
  return c.newResponse(sseStream(source, opened, after), 200, headers);
}

const headers = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  // Proxies that collect a response before passing it on would hold back every line.
  "x-accel-buffering": "no",
};

/** The pool whose operator has the run's sessions; null: there is no such attempt, or no cluster executes the run. */
async function poolOf(c: Context<CallerEnv>, log: Log): Promise<string | null> {
  const run = await runObject(c.env, log.orgId, log.runId).view();
  if (!run.ok || log.attempt > run.view.attempt) return null;
  const { spec } = run.view;
  return spec.workspaceBackend === "cluster" ? spec.pool : null;
}

async function openReader(
  c: Context<CallerEnv>,
  log: Log & { readonly pool: string },
  after: number,
): Promise<WebSocket | Refusal> {
  const url = liveLogUrl(liveLogPaths.read, log, after);
  const response = await liveLogObject(c.env, log).fetch(url, {
    headers: { upgrade: "websocket" },
  });
  if (response.webSocket !== null) return response.webSocket;
  const refusal = Refusal.safeParse(await response.json().catch(() => null));
  return refusal.success ? refusal.data : { code: "unavailable", message: "not to be had now" };
}

function refuse(c: Context<CallerEnv>, { code, message }: Refusal): Response {
  if (code === "readers_per_log") return tooManyReaders(c, "readers_per_log");
  return problem(c, "unavailable", { message, retryAfterSeconds });
}
