import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { hexOf, v1PoolRoutes } from "@millrace/contracts";
import type { Context } from "hono";
import { sha256Hex } from "../../digest.ts";
import { defaultPool, type CallerEnv } from "../../edge-env.ts";
import { ok, okPage } from "../../envelope.ts";
import { jsonBody } from "../../middleware/json-body.ts";
import { poolObject } from "../../objects.ts";
import { insertPool, listPools, removePool } from "../../pools.ts";
import { problem } from "../../problem.ts";
import { poolOf } from "../../projectors/v1/pool.ts";

export const pools = new OpenAPIHono<CallerEnv>();

const tokenBytes = 32;

pools.openapi(createRoute(v1PoolRoutes.listPools), async (c) => {
  const { orgId } = c.var.caller;
  const page = c.req.valid("query");
  const { items, total } = await listPools(c.env.DB, orgId, page);
  const views = await Promise.all(
    items.map(async (entry) => poolOf(entry, await poolObject(c.env, orgId, entry.name).view())),
  );
  return okPage(c, { items: views, total, ...page });
});

pools.openapi(createRoute({ ...v1PoolRoutes.createPool, middleware: jsonBody }), async (c) => {
  if (!mayChange(c)) return problem(c, "permission_denied");
  const { name, workspaceBackend } = c.req.valid("json");
  const token = hexOf(crypto.getRandomValues(new Uint8Array(tokenBytes)));
  const made =
    name !== defaultPool &&
    (await insertPool(c.env.DB, {
      orgId: c.var.caller.orgId,
      name,
      tokenHash: await sha256Hex(token),
      workspaceBackend,
      createdAt: Date.now(),
    }));
  if (!made) return problem(c, "conflict", { message: `there is a pool named ${name}` });
  return ok(c, { name, workspaceBackend, token });
});

pools.openapi(createRoute(v1PoolRoutes.deletePool), async (c) => {
  if (!mayChange(c)) return problem(c, "permission_denied");
  const { orgId } = c.var.caller;
  const { pool } = c.req.valid("param");
  // Its token opens nothing any more; what it has opened is shut.
  if (await removePool(c.env.DB, orgId, pool)) await poolObject(c.env, orgId, pool).disband();
  return c.body(null, 204);
});

function mayChange(c: Context<CallerEnv>): boolean {
  const { role, projectId } = c.var.caller;
  return role === "admin" && projectId === null;
}
