import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { v1Routes, type v1 } from "@millrace/contracts";
import type { ThreadProject } from "@millrace/durable-objects";
import type { CallerEnv } from "../../edge-env.ts";
import { ok, okPage } from "../../envelope.ts";
import { jsonBody } from "../../middleware/json-body.ts";
import { threadObject } from "../../objects.ts";
import { problem } from "../../problem.ts";
import { listProjects } from "../../project-list.ts";
import { isoTime } from "../../projectors/v1/run-summary.ts";

export const projects = new OpenAPIHono<CallerEnv>();

projects.openapi(createRoute({ ...v1Routes.createProject, middleware: jsonBody }), async (c) => {
  const { orgId, projectId: scope } = c.var.caller;
  const body = c.req.valid("json");
  const id = body.id ?? crypto.randomUUID();
  if (scope !== null && scope !== id) return problem(c, "permission_denied");
  const thread = threadObject(c.env, orgId, id);
  const { project, created } = await thread.open(orgId, id, body.name ?? id, Date.now());
  return ok(c, { ...toV1(project), created });
});

projects.openapi(createRoute(v1Routes.listProjects), async (c) => {
  const { limit, offset } = c.req.valid("query");
  const { items, total } = await listProjects(c.env.DB, c.var.caller, { limit, offset });
  return okPage(c, { items: items.map(toV1), total, limit, offset });
});

projects.openapi(createRoute(v1Routes.getProject), async (c) => {
  const { projectId } = c.req.valid("param");
  const found = await threadObject(c.env, c.var.caller.orgId, projectId).project();
  return found.ok ? ok(c, toV1(found.project)) : problem(c, found.code);
});

function toV1({ id, name, latestRunId, createdAt, updatedAt }: ThreadProject): v1.Project {
  return {
    id,
    name,
    latestRunId,
    createdAt: isoTime(createdAt),
    updatedAt: isoTime(updatedAt),
  };
}
