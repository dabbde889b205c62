import type { MiddlewareHandler } from "hono";
import type { CallerEnv } from "../edge-env.ts";
import { threadObject } from "../objects.ts";
import { problem } from "../problem.ts";

/** The project in the path must be there: registry rows beside it are written by its name alone. */
export const requireProject: MiddlewareHandler<CallerEnv> = async (c, next) => {
  const projectId = c.req.param("projectId") ?? "";
  const found = await threadObject(c.env, c.var.caller.orgId, projectId).project();
  return found.ok ? next() : problem(c, found.code);
};
