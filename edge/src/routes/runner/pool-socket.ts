import { operatorSocketPath, poolSocketPath } from "@millrace/durable-objects";
import { Hono, type Context } from "hono";
import type { PoolEnv, RunnerEnv } from "../../edge-env.ts";
import { requirePoolToken } from "../../middleware/require-pool-token.ts";
import { requireRunnerToken } from "../../middleware/require-runner-token.ts";
import { requireUpgrade } from "../../middleware/require-upgrade.ts";
import { poolObject } from "../../objects.ts";

/** The sockets of a pool's runners, and of the operator of its cluster. */
export const poolSocket = new Hono<RunnerEnv>();

poolSocket.get("/pools/:pool/socket", requireRunnerToken, requireUpgrade, (c) => {
  const { warm } = c.var;
  if (warm === null) return open(c, poolSocketPath);
  const { pod, namespace, owners } = warm;
  return open(c, poolSocketPath, { warm: JSON.stringify({ podName: pod, namespace, owners }) });
});

poolSocket.get("/pools/:pool/operator", requirePoolToken, requireUpgrade, (c) =>
  open(c, operatorSocketPath),
);

function open<Env extends PoolEnv>(
  c: Context<Env>,
  path: string,
  more: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const { orgId, pool } = c.var.joined;
  const url = new URL(path, "https://pool");
  for (const [name, value] of Object.entries({ orgId, pool, ...more })) {
    url.searchParams.set(name, value);
  }
  return poolObject(c.env, orgId, pool).fetch(url.href, { headers: { upgrade: "websocket" } });
}
