import { limits } from "@millrace/contracts";
import { liveLogPaths, liveLogUrl } from "@millrace/durable-objects";
import { Hono } from "hono";
import { z } from "zod";
import type { PoolEnv } from "../../edge-env.ts";
import { bodyLimit } from "../../middleware/body-limit.ts";
import { requirePoolToken } from "../../middleware/require-pool-token.ts";
import { requireUpgrade } from "../../middleware/require-upgrade.ts";
import { liveLogObject, runObject } from "../../objects.ts";
import { problem } from "../../problem.ts";
import { deleteLogs, keepLog } from "../../session-logs.ts";

/** Logs of sessions' containers, as the operator brings them before a pod goes. */
export const sessionLogs = new Hono<PoolEnv>();

const Name = z.object({
  runId: z.uuid(),
  attempt: z.coerce.number().int().positive(),
  container: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/),
  retainSeconds: z.coerce
    .number()
    .int()
    .positive()
    .max(3650 * 86_400)
    .optional(),
});

const path = "/pools/:pool/runs/:runId/logs";

sessionLogs.use(path, requirePoolToken);
sessionLogs.use(`${path}/*`, requirePoolToken, bodyLimit(limits.sessionLogMaxBytes));

sessionLogs.put(`${path}/:attempt/:container`, async (c) => {
  const name = Name.safeParse({ ...c.req.param(), ...c.req.query() });
  if (!name.success) {
    const field = name.error.issues[0]?.path.join(".") ?? "path";
    return problem(c, "invalid_argument", { message: `${field}: invalid`, details: { field } });
  }
  const { orgId, pool } = c.var.joined;
  const { retainSeconds, ...where } = name.data;
  const run = await runObject(c.env, orgId, where.runId).sessionRun(pool);
  if (run === null || where.attempt > run.attempt) return problem(c, "not_found");
  const text = await c.req.arrayBuffer();
  const storedAt = Date.now();
  const sizeBytes = text.byteLength;
  const keepUntil = retainSeconds === undefined ? null : storedAt + retainSeconds * 1000;
  const key = await keepLog(c.env, { orgId, ...where, sizeBytes, storedAt, keepUntil }, text);
  return c.json({ key, sizeBytes });
});

sessionLogs.get(`${path}/:attempt/:container/live`, requireUpgrade, async (c) => {
  const name = Name.safeParse(c.req.param());
  if (!name.success) return problem(c, "not_found");
  const { orgId, pool } = c.var.joined;
  const { runId, attempt, container } = name.data;
  const run = await runObject(c.env, orgId, runId).sessionRun(pool);
  if (run === null || attempt > run.attempt) return problem(c, "not_found");
  const address = { orgId, pool, runId, attempt, container };
  const url = liveLogUrl(liveLogPaths.source, address);
  return liveLogObject(c.env, address).fetch(url, { headers: { upgrade: "websocket" } });
});

sessionLogs.delete(path, async (c) => {
  const runId = z.uuid().safeParse(c.req.param("runId"));
  const { orgId, pool } = c.var.joined;
  const run = runId.success ? await runObject(c.env, orgId, runId.data).sessionRun(pool) : null;
  if (run === null) return problem(c, "not_found");
  await deleteLogs(c.env, { orgId, runId: run.runId });
  return c.body(null, 204);
});
