import { handfulMs, readQuotas } from "@millrace/durable-objects";
import type { Context, MiddlewareHandler } from "hono";
import type { CallerEnv, EdgeEnv } from "../edge-env.ts";
import { limited } from "../limited.ts";
import { logError } from "../log.ts";
import { orgObject } from "../objects.ts";
import { DrawnTokens } from "../drawn-tokens.ts";

interface Asking {
  readonly orgId: string;
  /** What is counted: an API key, or what else opens a door. */
  readonly keyId: string;
}

const callerOf = (c: Context<CallerEnv>): Asking => c.var.caller;

/** Refuses an API key that asks too often. Comes after `requireApiKey`. */
export const limitRequests = (): MiddlewareHandler<CallerEnv> => limitRequestsOf(callerOf);

/** Refuses whoever asks too often. */
export const limitRequestsOf = <Env extends EdgeEnv>(
  askingOf: (c: Context<Env>) => Asking,
): MiddlewareHandler<Env> => {
  const tokens = new DrawnTokens(handfulMs);
  return async function checkRequests(c, next) {
    const { orgId, keyId } = askingOf(c);
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
};
