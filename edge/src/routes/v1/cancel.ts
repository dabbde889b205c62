import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { v1Routes } from "@millrace/contracts";
import type { CallerEnv } from "../../edge-env.ts";
import { ok } from "../../envelope.ts";
import { runObject, threadObject } from "../../objects.ts";
import { problem } from "../../problem.ts";
import { v1Status } from "../../projectors/v1/run-status.ts";

export const cancel = new OpenAPIHono<CallerEnv>();

cancel.openapi(createRoute(v1Routes.cancelRun), async (c) => {
  const { projectId, runId } = c.req.valid("param");
  const { orgId } = c.var.caller;
  // Asked first: a run may only be cancelled through its own project.
  const place = await threadObject(c.env, orgId, projectId).run(runId);
  if (place === null) return problem(c, "not_found");
  const answer = await runObject(c.env, orgId, runId).cancel("api");
  if (!answer.ok) return problem(c, "unavailable", { retryAfterSeconds: 1 });
  const { view } = answer;
  return ok(c, {
    id: runId,
    projectId,
    status: v1Status(view),
    cancelled: view.cancelled,
    writable: place.writable,
  });
});
