import type { Context, MiddlewareHandler } from "hono";
import { ApiKeys, bootstrapFirstKey, type ApiKey } from "../api-keys.ts";
import { bearerOf } from "../bearer.ts";
import { isSameSecret } from "../digest.ts";
import type { CallerEnv } from "../edge-env.ts";
import { logError } from "../log.ts";
import { problem } from "../problem.ts";

/** Lets in whoever holds an API key, and says who that is. `X-Agent-Api-Key` wins over `Authorization`. */
export const requireApiKey = (keys = new ApiKeys()): MiddlewareHandler<CallerEnv> =>
  async function checkApiKey(c, next) {
    const presented = c.req.header("x-agent-api-key") ?? bearerOf(c.req);
    if (presented === undefined) return problem(c, "unauthenticated");
    const now = Date.now();
    const key = keys.recall(presented, now) ?? (await findKey(c, keys, presented));
    if (key === null || !isValid(key, now)) return problem(c, "unauthenticated");
    if (key.role === "viewer" && !isRead(c.req.method)) return problem(c, "permission_denied");
    const touched = keys.touch(c.env.DB, key, now);
    if (touched !== undefined) {
      c.executionCtx.waitUntil(touched.catch((error) => logError("key not touched", { error })));
    }
    const { orgId, id: keyId, role, projectId } = key;
    c.set("caller", { orgId, keyId, role, projectId });
    return next();
  };

// The registry is asked for a hash, never for the key: how long that takes says nothing about the key.
async function findKey(
  c: Context<CallerEnv>,
  keys: ApiKeys,
  presented: string,
): Promise<ApiKey | null> {
  const found = await keys.find(c.env.DB, presented, Date.now());
  if (found !== null) return found;
  const first = c.env.AGENT_API_KEY;
  if (first === undefined || first === "" || !(await isSameSecret(presented, first))) return null;
  await bootstrapFirstKey(c.env.DB, presented, Date.now());
  return keys.find(c.env.DB, presented, Date.now());
}

function isValid(key: ApiKey, now: number): boolean {
  return key.revokedAt === null && (key.expiresAt === null || key.expiresAt > now);
}

function isRead(method: string): boolean {
  return method === "GET" || method === "HEAD";
}
