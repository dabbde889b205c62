import { readRunToken } from "@millrace/durable-objects";
import type { MiddlewareHandler } from "hono";
import { bearerOf } from "../bearer.ts";
import type { AttemptEnv } from "../edge-env.ts";
import { problem } from "../problem.ts";

/** Lets one attempt at the run in the path through, and says which. */
export const requireRunToken: MiddlewareHandler<AttemptEnv> = async (c, next) => {
  const token = bearerOf(c.req);
  const claims = token === undefined ? null : await readRunToken(token, c.env.RUN_TOKEN_SECRET);
  if (claims === null) {
    return problem(c, "unauthenticated", { message: "a valid run token is required" });
  }
  if (claims.run !== c.req.param("runId")) return problem(c, "permission_denied");
  c.set("attempt", { orgId: claims.org, runId: claims.run, attempt: claims.attempt });
  return next();
};
