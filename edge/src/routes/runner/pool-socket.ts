import { operatorSocketPath, poolSocketPath } from "@millrace/durable-objects";
import { Hono, type Context } from "hono";
import type { PoolEnv } from "../../edge-env.ts";
import { requirePoolToken } from "../../middleware/require-pool-token.ts";
import { requireUpgrade } from "../../middleware/require-upgrade.ts";
import { poolObject } from "../../objects.ts";

/** The sockets of a pool's runners, and of the operator of its cluster. */
export const poolSocket = new Hono<PoolEnv>();

poolSocket.get("/pools/:pool/socket", requirePoolToken, requireUpgrade, (c) =>
  open(c, poolSocketPath),
);

poolSocket.get("/pools/:pool/operator", requirePoolToken, requireUpgrade, (c) =>
  open(c, operatorSocketPath),
);

function open(c: Context<PoolEnv>, path: string): Promise<Response> {
  const { orgId, pool } = c.var.joined;
  const url = new URL(path, "https://pool");
  url.searchParams.set("orgId", orgId);
  url.searchParams.set("pool", pool);
  return poolObject(c.env, orgId, pool).fetch(url.href, { headers: { upgrade: "websocket" } });
}
