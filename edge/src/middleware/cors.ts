import type { PlatformEnv } from "@millrace/durable-objects";
import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { z } from "zod";
import type { EdgeEnv } from "../edge-env.ts";
import { streamHeaders } from "../routes/streams/protocol.ts";

const localOrigin = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;

const Origins = z
  .string()
  .optional()
  .transform((list) => list?.split(",").map((origin) => origin.trim().replace(/\/$/, "")))
  .transform((origins) => origins?.filter((origin) => origin !== "") ?? []);

/** May a page of this origin call us? Without configured origins: any port of this machine. */
export function isAllowedOrigin(env: Pick<PlatformEnv, "CORS_ORIGINS">, origin: string): boolean {
  const allowed = Origins.parse(env.CORS_ORIGINS);
  if (allowed.length === 0) return localOrigin.test(origin);
  return allowed.includes("*") || allowed.includes(origin);
}

/** Cross-origin access for the configured origins. */
export const allowOrigins = (): MiddlewareHandler<EdgeEnv> =>
  cors({
    origin: (origin, c) => (isAllowedOrigin(c.env as PlatformEnv, origin) ? origin : null),
    allowMethods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
    allowHeaders: [
      "authorization",
      "content-type",
      "idempotency-key",
      "if-none-match",
      "last-event-id",
      ...Object.values(streamHeaders),
      "x-agent-api-key",
      "x-request-id",
    ],
    exposeHeaders: [
      "content-disposition",
      "etag",
      "location",
      "retry-after",
      "x-request-id",
      "x-run-id",
      ...Object.values(streamHeaders),
    ],
    maxAge: 600,
  });
