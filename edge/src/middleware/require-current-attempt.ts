import type { MiddlewareHandler } from "hono";
import type { AttemptEnv } from "../edge-env.ts";
import { runObject } from "../objects.ts";
import { problem } from "../problem.ts";

/** Asks the run whether this attempt may still use its files: a token outlives its attempt. */
export const requireCurrentAttempt: MiddlewareHandler<AttemptEnv> = async (c, next) => {
  const { orgId, runId, attempt } = c.var.attempt;
  if (await runObject(c.env, orgId, runId).mayUse(attempt)) return next();
  return problem(c, "permission_denied", { message: "this attempt is not current" });
};
