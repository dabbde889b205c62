import type { MiddlewareHandler } from "hono";
import type { CallerEnv } from "../edge-env.ts";
import { problem } from "../problem.ts";

/** A key that is scoped to a project opens no other. */
export const requireProjectScope: MiddlewareHandler<CallerEnv> = async (c, next) => {
  const { projectId } = c.var.caller;
  if (projectId !== null && projectId !== c.req.param("projectId")) {
    return problem(c, "permission_denied", { message: "this API key is for another project" });
  }
  return next();
};
