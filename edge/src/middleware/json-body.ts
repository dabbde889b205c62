import type { MiddlewareHandler } from "hono";
import type { EdgeEnv } from "../edge-env.ts";
import { problem } from "../problem.ts";

/** Takes the body for JSON whatever its content-type says: `curl -d` calls it a form. */
export const jsonBody: MiddlewareHandler<EdgeEnv> = async (c, next) => {
  const headers = new Headers(c.req.raw.headers);
  headers.set("content-type", "application/json");
  c.req.raw = new Request(c.req.raw, { headers });
  try {
    await c.req.json();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return problem(c, "invalid_json");
  }
  return next();
};
