import { poolSocketPath } from "@millrace/durable-objects";
import { Hono } from "hono";
import { defaultOrg, defaultPool, type EdgeEnv } from "../../edge-env.ts";
import { requirePoolToken } from "../../middleware/require-pool-token.ts";
import { requireUpgrade } from "../../middleware/require-upgrade.ts";
import { poolObject } from "../../objects.ts";
import { problem } from "../../problem.ts";

export const poolSocket = new Hono<EdgeEnv>();

poolSocket.get("/pools/:pool/socket", requirePoolToken, requireUpgrade, async (c) => {
  // The pool token is the default pool's; other pools will have tokens of their own.
  if (c.req.param("pool") !== defaultPool) return problem(c, "not_found");
  const url = new URL(poolSocketPath, "https://pool");
  url.searchParams.set("orgId", defaultOrg.id);
  url.searchParams.set("pool", defaultPool);
  const pool = poolObject(c.env, defaultOrg.id, defaultPool);
  return pool.fetch(url.href, { headers: { upgrade: "websocket" } });
});
