import type { MiddlewareHandler } from "hono";
import { bearerOf } from "../bearer.ts";
import { isSameSecret, sha256Hex } from "../digest.ts";
import { defaultOrg, defaultPool, type JoinedPool, type PoolEnv } from "../edge-env.ts";
import { findPoolByToken } from "../pools.ts";
import { problem } from "../problem.ts";

/** Lets runners and operators in that hold the token of the pool in the path, and says which pool that is. */
export const requirePoolToken: MiddlewareHandler<PoolEnv> = async (c, next) => {
  const token = bearerOf(c.req);
  const joined = token === undefined ? null : await poolOf(c.env, token);
  if (joined === null) {
    return problem(c, "unauthenticated", { message: "a valid pool token is required" });
  }
  // Whoever holds one pool's token learns nothing of another pool.
  if (joined.pool !== c.req.param("pool")) return problem(c, "not_found");
  c.set("joined", joined);
  return next();
};

/** Null: it is no pool's. */
export async function poolOf(env: PoolEnv["Bindings"], token: string): Promise<JoinedPool | null> {
  if (await isSameSecret(token, env.POOL_TOKEN)) {
    return { orgId: defaultOrg.id, pool: defaultPool };
  }
  return findPoolByToken(env.DB, await sha256Hex(token));
}
