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

const exposedHeaders = [
  "content-disposition",
  "etag",
  "location",
  "retry-after",
  "x-request-id",
  "x-run-id",
  ...Object.values(streamHeaders),
];

/**
 * Cross-origin access for the configured origins. Only a preflight is left to Hono, which answers it: what is set before there is
 * an answer costs one set of headers, what is added to an answer costs another answer. Not for paths under `except`: runners are
 * no web pages, and a socket's handshake takes no more headers.
 */
export const allowOrigins = ({
  except,
}: {
  readonly except: string;
}): MiddlewareHandler<EdgeEnv> => {
  const exposed = exposedHeaders.join(",");
  const preflight = answerPreflight();
  return async function allowOrigin(c, next) {
    if (c.req.path.startsWith(except)) return next();
    if (c.req.method === "OPTIONS") return preflight(c, next);
    const origin = c.req.header("origin");
    c.header("vary", "Origin");
    if (origin !== undefined && isAllowedOrigin(c.env, origin)) {
      c.header("access-control-allow-origin", origin);
      c.header("access-control-expose-headers", exposed);
    }
    return next();
  };
};

const answerPreflight = (): MiddlewareHandler<EdgeEnv> =>
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
      "traceparent",
      "x-agent-api-key",
      "x-request-id",
    ],
    exposeHeaders: exposedHeaders,
    maxAge: 600,
  });
