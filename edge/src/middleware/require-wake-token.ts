import { readWakeToken } from "@millrace/durable-objects";
import type { MiddlewareHandler } from "hono";
import { bearerOf } from "../bearer.ts";
import type { WokenEnv } from "../edge-env.ts";
import { refuseSubscription } from "../subscriptions/refuse-subscription.ts";

/** Lets in whoever was woken, by the token of the wake, and says whose wake it is. The object looks at the token again. */
export const requireWakeToken: MiddlewareHandler<WokenEnv> = async (c, next) => {
  const token = bearerOf(c.req);
  if (token === undefined) return refuseSubscription(c, "TOKEN_INVALID");
  const claims = await readWakeToken(token, c.env.RUN_TOKEN_SECRET);
  if (claims === "token_expired") return refuseSubscription(c, "TOKEN_EXPIRED");
  if (claims === "token_invalid") return refuseSubscription(c, "TOKEN_INVALID");
  c.set("woken", { orgId: claims.org, subscriptionUid: claims.sub, token });
  return next();
};
