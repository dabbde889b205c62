import { jsonOf, type EncodedLine } from "@millrace/contracts";
import { runSocketPaths } from "@millrace/durable-objects";
import { Hono, type Context } from "hono";
import { z } from "zod";
import type { CallerEnv } from "../../edge-env.ts";
import { runObject } from "../../objects.ts";
import { problem } from "../../problem.ts";
import { openedReader, type OpenedReader } from "../../reader-place.ts";
import type { LogPage, LogSource, Missing } from "./log-source.ts";
import { offsetAfter, streamHeaders as headers } from "./protocol.ts";
import { answerRead } from "./read-log.ts";

/** A run's log as a Durable Stream of JSON: one message per event, closed when the run is over. */
export const runStreams = new Hono<CallerEnv>();

const path = "/v1/streams/runs/:runId";
const contentType = "application/json";
const RunId = z.string().toLowerCase().pipe(z.uuid());

runStreams.get(path, async (c) => {
  const runId = RunId.safeParse(c.req.param("runId"));
  if (!runId.success) return problem(c, "not_found");
  if (c.req.method !== "HEAD") return answerRead(c, sourceOf(c, runId.data));
  const page = await pageOf(c, runId.data, 0, 0);
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
  return {
    page: (after, chars) => pageOf(c, runId, after, chars),
    open: (after) => openReader(c, runId, after),
    jsonOfLine: eventOf,
  };
}

/** The canonical event, its data untouched. */
function eventOf(line: EncodedLine): string {
  const ts = new Date(line.at).toISOString();
  return `{"seq":${line.seq},"ts":"${ts}","type":"${line.type}","data":${jsonOf(line)}}`;
}

async function pageOf(
  c: Context<CallerEnv>,
  runId: string,
  after: number,
  chars: number,
): Promise<LogPage | Missing> {
  const page = await runObject(c.env, c.var.caller.orgId, runId).readLog(after, chars);
  if (!page.ok || !isVisible(c, page.projectId)) return "not_found";
  return { id: runId, contentType, closed: page.over, tail: page.tail, rows: page.rows };
}

/** A key that is scoped to a project sees no other's runs. */
function isVisible(c: Context<CallerEnv>, projectId: string): boolean {
  const scope = c.var.caller.projectId;
  return scope === null || scope === projectId;
}

async function openReader(
  c: Context<CallerEnv>,
  runId: string,
  after: number,
): Promise<OpenedReader> {
  const run = runObject(c.env, c.var.caller.orgId, runId);
  const known = await run.view();
  if (!known.ok || !isVisible(c, known.view.spec.projectId)) return null;
  const url = new URL(runSocketPaths.read, "https://run");
  url.searchParams.set("projectId", known.view.spec.projectId);
  url.searchParams.set("after", String(after));
  url.searchParams.set("marks", "1");
  return openedReader(await run.fetch(url.href, { headers: { upgrade: "websocket" } }));
}
