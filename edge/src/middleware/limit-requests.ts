import { handfulMs, readQuotas } from "@millrace/durable-objects";
import type { MiddlewareHandler } from "hono";
import type { CallerEnv } from "../edge-env.ts";
import { limited } from "../limited.ts";
import { logError } from "../log.ts";
import { orgObject } from "../objects.ts";
import { DrawnTokens } from "../drawn-tokens.ts";

/** Refuses an API key that asks too often. Comes after `requireApiKey`. */
export const limitRequests = (tokens = new DrawnTokens(handfulMs)): MiddlewareHandler<CallerEnv> =>
  async function checkRequests(c, next) {
    const { orgId, keyId } = c.var.caller;
    const draw = (handful: boolean) => orgObject(c.env, orgId).draw(keyId, handful);
    const taken = await tokens.take(keyId, Date.now(), draw).catch((error: unknown) => {
      // A limit protects the service: that it cannot be looked up must not close it.
      logError("requests not counted", { error });
      return { ok: true } as const;
    });
    if (taken.ok) return next();
    const max = readQuotas(c.env).LIMIT_REQUESTS_PER_SECOND;
    const retryAfterSeconds = Math.max(1, Math.ceil(taken.retryAfterMs / 1000));
    // RateLimit header fields for HTTP, draft-ietf-httpapi-ratelimit-headers-10.
    c.header("ratelimit-policy", `"requests_per_key";q=${2 * max};w=2`);
    c.header("ratelimit", `"requests_per_key";r=0;t=${retryAfterSeconds}`);
    return limited(c, { limit: "requests_per_key", max, retryAfterSeconds });
  };
