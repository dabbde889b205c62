import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { v1Routes, type v1 } from "@millrace/contracts";
import type { PlatformEnv } from "@millrace/durable-objects";
import type { Context } from "hono";
import { defaultOrg, type EdgeEnv } from "../../edge-env.ts";
import { healthy } from "../../envelope.ts";
import { logError } from "../../log.ts";
import { runObject } from "../../objects.ts";

const checkTimeoutMs = 3000;
/** Neither names anything that exists: the question is whether the store answers. */
const absent = { runId: "00000000-0000-0000-0000-000000000000", key: "health" } as const;

const checks = {
  d1: (env: PlatformEnv) => env.DB.prepare("SELECT 1").first(),
  r2: (env: PlatformEnv) => env.ARCHIVES.head(absent.key),
  objects: (env: PlatformEnv) => runObject(env, defaultOrg.id, absent.runId).view(),
} as const;

type CheckName = keyof typeof checks;
type CheckResult = v1.Health["checks"][string];

export const health = new OpenAPIHono<EdgeEnv>();

health.openapi(createRoute(v1Routes.health), answerHealth);
health.get("/health", (c) => answerHealth(c));

async function answerHealth(c: Context<EdgeEnv>) {
  const names = Object.keys(checks) as CheckName[];
  const results = await Promise.all(
    names.map(async (name) => [name, await check(name, c.env)] as const),
  );
  const status = results.every(([, { ok }]) => ok) ? "ok" : "degraded";
  const ts = new Date().toISOString();
  return healthy(c, { status, ts, checks: Object.fromEntries(results) });
}

async function check(name: CheckName, env: PlatformEnv): Promise<CheckResult> {
  const started = Date.now();
  const done = new AbortController();
  const late = scheduler
    .wait(checkTimeoutMs, { signal: done.signal })
    .then(() => Promise.reject(new Error(`no answer in ${checkTimeoutMs} ms`)));
  try {
    await Promise.race([checks[name](env), late]);
    return { ok: true, ms: Date.now() - started };
  } catch (error) {
    logError("health check failed", { check: name, error });
    return { ok: false, ms: Date.now() - started, note: "see the log of the edge" };
  } finally {
    late.catch(() => undefined);
    done.abort();
  }
}
