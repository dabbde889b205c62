import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { v1Routes } from "@millrace/contracts";
import type { CallerEnv } from "../../edge-env.ts";
import { ok, okPage } from "../../envelope.ts";
import { jsonBody } from "../../middleware/json-body.ts";
import { runObject, threadObject } from "../../objects.ts";
import { problem } from "../../problem.ts";
import { runCreated } from "../../projectors/v1/run-created.ts";
import { runSummary } from "../../projectors/v1/run-summary.ts";
import { acceptRun } from "./accept-run.ts";
import { answerWithEvents } from "./event-stream.ts";

export const runs = new OpenAPIHono<CallerEnv>();

runs.openapi(createRoute({ ...v1Routes.createRun, middleware: jsonBody }), async (c) => {
  const { projectId } = c.req.valid("param");
  const { prompt, ...options } = c.req.valid("json");
  const accepted = await acceptRun(c, projectId, { kind: "run", text: prompt, ...options });
  if (!accepted.ok) return accepted.response;
  const { run, created } = accepted;
  if (options.stream !== true) return ok(c, runCreated(run, created));
  return answerWithEvents(c, { projectId, runId: run.runId }, c.req.valid("header"));
});

runs.openapi(createRoute(v1Routes.listRuns), async (c) => {
  const { projectId } = c.req.valid("param");
  const { limit, offset } = c.req.valid("query");
  const found = await threadObject(c.env, c.var.caller.orgId, projectId).runs(limit, offset);
  if (found === null) return problem(c, "not_found");
  const items = found.items.map((run) => runSummary(run));
  return okPage(c, { items, total: found.total, limit, offset });
});

runs.openapi(createRoute(v1Routes.getRun), async (c) => {
  const { projectId, runId } = c.req.valid("param");
  const { orgId } = c.var.caller;
  const [place, now] = await Promise.all([
    threadObject(c.env, orgId, projectId).run(runId),
    runObject(c.env, orgId, runId).view(),
  ]);
  if (place === null) return problem(c, "not_found");
  return ok(c, runSummary(place, now.ok ? now.view : place.view));
});
