import type { MiddlewareHandler } from "hono";
import type { EdgeEnv } from "../edge-env.ts";
import { problem } from "../problem.ts";

/** Lets only WebSocket handshakes through. */
export const requireUpgrade: MiddlewareHandler<EdgeEnv> = async (c, next) => {
  if (c.req.header("upgrade")?.toLowerCase() === "websocket") return next();
  return problem(c, "invalid_argument", { message: "this endpoint is a WebSocket" });
};
