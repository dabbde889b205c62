import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { limits, v1, v1Routes } from "@millrace/contracts";
import type { InputRefusal } from "@millrace/durable-objects";
import type { CallerEnv } from "../../edge-env.ts";
import { ok } from "../../envelope.ts";
import { fingerprint } from "../../fingerprint.ts";
import { jsonBody } from "../../middleware/json-body.ts";
import { runObject, threadObject } from "../../objects.ts";
import { problem } from "../../problem.ts";
import { v1Status } from "../../projectors/v1/run-status.ts";
import { waitingOf } from "../../projectors/v1/run-summary.ts";
import { missingKey } from "./accept-run.ts";

export const runInput = new OpenAPIHono<CallerEnv>();

runInput.openapi(createRoute({ ...v1Routes.sendInput, middleware: jsonBody }), async (c) => {
  const { projectId, runId } = c.req.valid("param");
  const { content = null } = c.req.valid("json");
  const key = v1.IdempotencyKey.safeParse(c.req.header("idempotency-key"));
  if (!key.success) return missingKey(c);
  const { orgId, keyId } = c.var.caller;
  // Asked first: a run is spoken to through its own project only.
  const place = await threadObject(c.env, orgId, projectId).run(runId);
  if (place === null) return problem(c, "not_found");
  const path = `/v1/projects/${projectId}/runs/${runId}/input`;
  const answer = await runObject(c.env, orgId, runId).input({
    content,
    by: `key:${keyId}`,
    idempotencyKey: key.data,
    fingerprint: await fingerprint("POST", path, { content }),
  });
  if (answer.ok) {
    const { n, created, view } = answer;
    const stands = { status: v1Status(view), waiting: waitingOf(view) };
    return ok(c, { id: runId, projectId, n, created, ...stands });
  }
  const { code } = answer;
  if (code === "not_found") return problem(c, "unavailable", { retryAfterSeconds: 1 });
  if (code === "idempotency_mismatch") return problem(c, code);
  return problem(c, "conflict", { message: whyNot[code], details: { reason: code } });
});

const whyNot = {
  run_over: "the run is over or being cancelled: go on with a new run of its project",
  not_waiting: "the run has not asked anything: `waiting` of the run says when it has",
  finishing: "the run was told to finish, and takes nothing more",
  too_many: `the run has not come to the last ${limits.inputsUnheard} messages yet`,
} as const satisfies Record<InputRefusal, string>;
