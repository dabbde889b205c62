import { readWarmToken, type WarmTokenClaims } from "@millrace/durable-objects";
import type { MiddlewareHandler } from "hono";
import { bearerOf } from "../bearer.ts";
import type { JoinedPool, RunnerEnv } from "../edge-env.ts";
import { isStillThere } from "../pools.ts";
import { problem } from "../problem.ts";
import { poolOf } from "./require-pool-token.ts";

/** Lets a pool's runners in: those with the pool's own token, and warm pods with one for each. */
export const requireRunnerToken: MiddlewareHandler<RunnerEnv> = async (c, next) => {
  const token = bearerOf(c.req);
  const warm = token === undefined ? null : await readWarmToken(token, c.env.RUN_TOKEN_SECRET);
  const joined = warm
    ? await placeOf(c.env, warm)
    : token === undefined
      ? null
      : await poolOf(c.env, token);
  if (joined === null) {
    return problem(c, "unauthenticated", { message: "a valid pool token is required" });
  }
  if (joined.pool !== c.req.param("pool")) return problem(c, "not_found");
  c.set("joined", joined);
  c.set("warm", warm);
  return next();
};

/** Null: the pool has been deleted since, and its warm pods with it. */
async function placeOf(
  { DB }: RunnerEnv["Bindings"],
  { org: orgId, pool, at }: WarmTokenClaims,
): Promise<JoinedPool | null> {
  const place = { orgId, pool };
  return (await isStillThere(DB, place, at)) ? place : null;
}
