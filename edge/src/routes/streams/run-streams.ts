import { forEachLine, jsonOf, type EncodedLine } from "@millrace/contracts";
import { Hono, type Context } from "hono";
import { z } from "zod";
import type { CallerEnv } from "../../edge-env.ts";
import { problem } from "../../problem.ts";
import { refusePruned } from "../../pruned.ts";
import { RunLog } from "../../run-log.ts";
import type { LogSource } from "./log-source.ts";
import { offsetAfter, streamHeaders as headers } from "./protocol.ts";
import { answerRead } from "./read-log.ts";
import { jsonArray, type Batch } from "./render.ts";

/** A run's log as a Durable Stream of JSON: one message per event, closed when the run is over. */
export const runStreams = new Hono<CallerEnv>();

const path = "/v1/streams/runs/:runId";
const contentType = "application/json";
const RunId = z.string().toLowerCase().pipe(z.uuid());

runStreams.get(path, async (c) => {
  const runId = RunId.safeParse(c.req.param("runId"));
  if (!runId.success) return problem(c, "not_found");
  if (c.req.method !== "HEAD") return answerRead(c, sourceOf(c, runId.data));
  const page = await sourceOf(c, runId.data).page(Number.MAX_SAFE_INTEGER - 1, 0);
  if (page instanceof Response) return page;
  if (typeof page === "string") return problem(c, page);
  return c.newResponse(null, 200, {
    "content-type": contentType,
    "cache-control": "no-store",
    [headers.nextOffset]: offsetAfter(page.tail),
    ...(page.closed && { [headers.closed]: "true" }),
  });
});

/** Only a run writes its log. */
runStreams.all(path, (c) => {
  c.header("allow", "GET, HEAD, OPTIONS");
  return problem(c, "method_not_allowed", { message: "a run's log is read-only" });
});

function sourceOf(c: Context<CallerEnv>, runId: string): LogSource {
  // A key that is scoped to a project sees no other's runs.
  const { orgId, projectId } = c.var.caller;
  const log = new RunLog(c.env, { orgId, runId, projectId });
  return {
    page: async (after, chars) => {
      const found = await log.read(after, chars);
      if (found === "not_found") return found;
      if (found.kind === "pruned") return refusePruned(c, runId, found);
      const { over, tail, rows } = found;
      return { id: runId, contentType, closed: over, tail, rows };
    },
    open: async (after) => {
      const opened = await log.open({ after, marks: true });
      return typeof opened === "object" && !(opened instanceof WebSocket) ? null : opened;
    },
    batchOf: batchOfEvents,
  };
}

function batchOfEvents(rows: string, after: number): Batch {
  const items: string[] = [];
  let last = after;
  let isUpToDate = false;
  let isClosed = false;
  forEachLine(rows, after, {
    line: (line) => {
      isUpToDate = false;
      last = line.seq;
      items.push(eventOf(line));
    },
    mark: (closed) => {
      isUpToDate = true;
      isClosed = closed;
    },
  });
  const isEmpty = items.length === 0;
  return { json: jsonArray(items), pieces: [], isEmpty, last, isUpToDate, isClosed };
}

/** The canonical event, its data untouched. */
function eventOf(line: EncodedLine): string {
  const ts = new Date(line.at).toISOString();
  return `{"seq":${line.seq},"ts":"${ts}","type":"${line.type}","data":${jsonOf(line)}}`;
}
