import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { v1PoolRoutes, type v1 } from "@millrace/contracts";
import type { CallerEnv } from "../../edge-env.ts";
import { followLog } from "./follow-log.ts";
import { okPage } from "../../envelope.ts";
import { threadObject } from "../../objects.ts";
import { problem } from "../../problem.ts";
import { isoOrNull, isoTime } from "../../projectors/v1/run-summary.ts";
import { isLogKept, listLogs, sessionLogKey, type SessionLogRow } from "../../session-logs.ts";
import { answerStored } from "../../stored-file.ts";

/** What the containers of a run's sessions wrote. */
export const runLogs = new OpenAPIHono<CallerEnv>();

runLogs.openapi(createRoute(v1PoolRoutes.listRunLogs), async (c) => {
  const { projectId, runId } = c.req.valid("param");
  const { orgId } = c.var.caller;
  // Asked first: a run's logs are read through its own project.
  const place = await threadObject(c.env, orgId, projectId).run(runId);
  if (place === null) return problem(c, "not_found");
  const page = c.req.valid("query");
  const { items, total } = await listLogs(c.env.DB, { orgId, runId }, page);
  const path = `/v1/projects/${projectId}/runs/${runId}/logs`;
  return okPage(c, { items: items.map((row) => toV1(row, path)), total, ...page });
});

runLogs.openapi(createRoute(v1PoolRoutes.getRunLog), async (c) => {
  const { projectId, runId, attempt, container } = c.req.valid("param");
  const { orgId } = c.var.caller;
  const place = await threadObject(c.env, orgId, projectId).run(runId);
  if (place === null) return problem(c, "not_found");
  const log = { orgId, runId, attempt: Number(attempt), container };
  const { follow, after } = c.req.valid("query");
  if (follow === "true" && !(await isLogKept(c.env.DB, log))) {
    const resume = c.req.valid("header")["last-event-id"] ?? after ?? 0;
    return followLog(c, log, resume);
  }
  const key = sessionLogKey(log);
  return answerStored(c, key, {
    "cache-control": "private, no-cache",
    "content-type": "text/plain; charset=utf-8",
  });
});

function toV1(row: SessionLogRow, path: string): v1.SessionLog {
  const { attempt, container, sizeBytes, storedAt, keepUntil } = row;
  return {
    attempt,
    container,
    sizeBytes,
    storedAt: isoTime(storedAt),
    keepUntil: isoOrNull(keepUntil),
    url: `${path}/${attempt}/${container}`,
  };
}
