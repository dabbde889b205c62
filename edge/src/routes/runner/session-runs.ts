import {
  limits,
  SessionAct,
  SessionInput,
  SessionRunCreate,
  SessionTokenAsk,
  type SessionRun,
} from "@millrace/contracts";
import { runTokenTtlMs, sessionRunOf } from "@millrace/durable-objects";
import { Hono, type Context } from "hono";
import { createMiddleware } from "hono/factory";
import { z } from "zod";
import type { PoolEnv } from "../../edge-env.ts";
import { fingerprint } from "../../fingerprint.ts";
import { bodyLimit } from "../../middleware/body-limit.ts";
import { requirePoolToken } from "../../middleware/require-pool-token.ts";
import { runObject } from "../../objects.ts";
import { problem } from "../../problem.ts";
import { readBody } from "../../read-body.ts";
import { acceptSessionRun } from "./accept-session-run.ts";

/** Behind `requirePoolRun`: the run is one of the pool's. */
interface PoolRunEnv extends PoolEnv {
  Variables: PoolEnv["Variables"] & { run: SessionRun };
}

/** What the operator of a cluster asks of its sessions' runs (contracts, session-protocol.ts). */
export const sessionRuns = new Hono<PoolRunEnv>();

const path = "/pools/:pool/runs/:runId";

/** Lets a pool at its own runs only. */
const requirePoolRun = createMiddleware<PoolRunEnv>(async (c, next) => {
  const runId = z.uuid().safeParse(c.req.param("runId"));
  if (!runId.success) return problem(c, "not_found");
  const { orgId, pool } = c.var.joined;
  const run = await runObject(c.env, orgId, runId.data).sessionRun(pool);
  if (run === null) return problem(c, "not_found");
  c.set("run", run);
  return next();
});

sessionRuns.use("/pools/:pool/runs/*", requirePoolToken, bodyLimit(limits.requestBodyMaxBytes));
sessionRuns.use(path, requirePoolRun);
sessionRuns.use(`${path}/:act{cancel|stop|resume|input|token}`, requirePoolRun);

sessionRuns.post("/pools/:pool/runs", async (c) => {
  const body = await readBody(c, SessionRunCreate);
  if (!body.ok) return body.response;
  const accepted = await acceptSessionRun(c, c.var.joined, body.data);
  if (!accepted.ok) return accepted.response;
  const { run, created } = accepted;
  return c.json({ ...sessionRunOf(run.view), created });
});

sessionRuns.get(path, (c) => c.json(c.var.run));

sessionRuns.post(`${path}/cancel`, async (c) => {
  const body = await readBody(c, SessionAct);
  if (!body.ok) return body.response;
  await runOf(c).cancel(body.data.by);
  return answerRun(c);
});

sessionRuns.post(`${path}/stop`, async (c) => {
  const body = await readBody(c, SessionAct);
  if (!body.ok) return body.response;
  await runOf(c).stop();
  return answerRun(c);
});

sessionRuns.post(`${path}/resume`, async (c) => {
  const body = await readBody(c, SessionAct);
  if (!body.ok) return body.response;
  await runOf(c).resume(body.data.by);
  return answerRun(c);
});

sessionRuns.post(`${path}/input`, async (c) => {
  const body = await readBody(c, SessionInput);
  if (!body.ok) return body.response;
  const { by, key: idempotencyKey, content } = body.data;
  const print = await fingerprint("POST", "input", { content });
  const said = { by, idempotencyKey, content, fingerprint: print };
  const answer = await runOf(c).input(said);
  const run = await runOf(c).sessionRun(c.var.joined.pool);
  if (run === null) return problem(c, "not_found");
  return c.json({ run, refused: answer.ok ? null : answer.code });
});

sessionRuns.post(`${path}/token`, async (c) => {
  const body = await readBody(c, SessionTokenAsk);
  if (!body.ok) return body.response;
  const token = await runOf(c).renewToken(body.data.attempt);
  if (token === null) {
    return problem(c, "fenced", { message: "this attempt is not to be executed any more" });
  }
  return c.json({ token, expiresInMs: runTokenTtlMs });
});

sessionRuns.delete(`${path}/token`, async (c) => {
  if (await runOf(c).revokeTokens()) return c.body(null, 204);
  const message = "the run is not over: cancel it first";
  return problem(c, "unavailable", { message, retryAfterSeconds: 1 });
});

function runOf(c: Context<PoolRunEnv>) {
  return runObject(c.env, c.var.joined.orgId, c.var.run.runId);
}

async function answerRun(c: Context<PoolRunEnv>) {
  const run = await runOf(c).sessionRun(c.var.joined.pool);
  return run === null ? problem(c, "not_found") : c.json(run);
}
