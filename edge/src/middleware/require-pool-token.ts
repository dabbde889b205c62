import type { MiddlewareHandler } from "hono";
import { bearerOf } from "../bearer.ts";
import { isSameSecret } from "../digest.ts";
import type { EdgeEnv } from "../edge-env.ts";
import { problem } from "../problem.ts";

/** Lets runners in that hold the pool token. */
export const requirePoolToken: MiddlewareHandler<EdgeEnv> = async (c, next) => {
  const token = bearerOf(c.req);
  if (token === undefined || !(await isSameSecret(token, c.env.POOL_TOKEN))) {
    return problem(c, "unauthenticated", { message: "a valid pool token is required" });
  }
  return next();
};
