import type { MiddlewareHandler } from "hono";
import type { EdgeEnv } from "../edge-env.ts";

/** What users stored is served as what it says it is, and only to pages that were let in (Durable Streams, section on browsers). */
export const noSniffing: MiddlewareHandler<EdgeEnv> = async (c, next) => {
  c.header("x-content-type-options", "nosniff");
  c.header("cross-origin-resource-policy", "cross-origin");
  return next();
};
