import {
  traceparentOf,
  v1,
  type JsonValue,
  type v1Webhooks,
  type WorkspaceBackend,
} from "@millrace/contracts";
import type { NewRun, ThreadRpc, ThreadRun } from "@millrace/durable-objects";
import type { Context } from "hono";
import { v7 as uuidv7 } from "uuid";
import { defaultPool, type CallerEnv } from "../../edge-env.ts";
import { fingerprint } from "../../fingerprint.ts";
import { threadObject } from "../../objects.ts";
import { findPool } from "../../pools.ts";
import { problem, type ProblemResponse } from "../../problem.ts";
import { createRunEndpoint, dropRunEndpoint } from "../../webhooks/endpoints.ts";
import { refuseUrl } from "../../webhooks/refuse-url.ts";
import { admitRun, tooManyOpenRuns } from "./admit-run.ts";

/** A run or a message, as its body asked for it. */
export interface RunRequest extends Omit<v1.RunCreate, "prompt"> {
  readonly kind: "run" | "message";
  readonly text: string;
}

export type Accepted =
  | { readonly ok: true; readonly run: ThreadRun; readonly created: boolean }
  | { readonly ok: false; readonly response: ProblemResponse };

export function missingKey(c: Context): ProblemResponse {
  const message = "an Idempotency-Key header of 1 to 200 characters is required";
  return problem(c, "invalid_argument", { message, details: { field: "Idempotency-Key" } });
}

const refuse = (response: ProblemResponse): Accepted => ({ ok: false, response });

/** Checks what stands outside the body, and asks the thread for the run. */
export async function acceptRun(
  c: Context<CallerEnv>,
  projectId: string,
  request: RunRequest,
): Promise<Accepted> {
  const key = v1.IdempotencyKey.safeParse(c.req.header("idempotency-key"));
  if (!key.success) return refuse(missingKey(c));
  const place = await placeOf(c, request);
  if (place instanceof Response) return refuse(place);
  const refusedUrl = request.webhook ? refuseUrl(c, "webhook.url", request.webhook.url) : null;
  if (refusedUrl !== null) return refuse(refusedUrl);
  const { orgId, keyId } = c.var.caller;
  const where = { ...place, owner: `key:${keyId}` };
  const run = await newRun({
    projectId,
    request,
    ...where,
    idempotencyKey: key.data,
    traceparent: c.req.header("traceparent"),
  });
  const admitted = await admitRun(c.env, orgId);
  const webhook = request.webhook ?? null;
  const answer = await createRun(c, projectId, { ...run, admitted }, webhook);
  if (answer.ok) return answer;
  const { code } = answer;
  if (code === "not_found" || code === "idempotency_mismatch") return refuse(problem(c, code));
  return refuse(tooManyOpenRuns(c, code));
}

/** Where the run is to be executed; or the answer that refuses. */
async function placeOf(
  c: Context<CallerEnv>,
  request: RunRequest,
): Promise<
  { readonly pool: string; readonly workspaceBackend: WorkspaceBackend } | ProblemResponse
> {
  const pool = await findPool(c.env.DB, c.var.caller.orgId, request.pool ?? defaultPool);
  if (pool === null) {
    const facts = { message: "pool: there is no pool of this name", details: { field: "pool" } };
    return problem(c, "invalid_argument", facts);
  }
  const workspaceBackend = request.workspaceBackend ?? pool.workspaceBackend;
  if (workspaceBackend === "e2b") {
    const message = `the workspace backend ${workspaceBackend} is not configured`;
    return problem(c, "workspace_unavailable", { message });
  }
  return { pool: pool.name, workspaceBackend };
}

/** A run's own webhook is written first: no run is accepted without the one that it names. */
async function createRun(
  c: Context<CallerEnv>,
  projectId: string,
  run: NewRun,
  webhook: v1Webhooks.WebhookTarget | null,
): ReturnType<ThreadRpc["createRun"]> {
  const { orgId } = c.var.caller;
  const { runId } = run;
  const thread = threadObject(c.env, orgId, projectId);
  if (webhook === null) return thread.createRun(run);
  await createRunEndpoint(c.env, { orgId, projectId, runId }, webhook, run.now);
  const answer = await thread.createRun(run);
  if (!answer.ok || !answer.created) await dropRunEndpoint(c.env.DB, orgId, projectId, runId);
  return answer;
}

interface NewRunFacts {
  readonly projectId: string;
  readonly request: RunRequest;
  readonly workspaceBackend: WorkspaceBackend;
  readonly pool: string;
  readonly owner: string;
  readonly idempotencyKey: string;
  readonly traceparent: string | undefined;
}

/** Only what is asked for: a request without it keeps the fingerprint that it always had. */
export function turnsOf({ interactive, keepOpen }: Pick<v1.RunCreate, "interactive" | "keepOpen">) {
  return { ...(interactive && { interactive }), ...(keepOpen && { keepOpen }) };
}

async function newRun(facts: NewRunFacts): Promise<Omit<NewRun, "admitted">> {
  const { request, projectId } = facts;
  const input: JsonValue = request.input ?? null;
  const provider = request.provider ?? null;
  const model = request.model ?? null;
  const noun = request.kind === "run" ? "runs" : "messages";
  // The backend as it was asked for: a default that changes must not turn a repeat into another request.
  const asked = request.workspaceBackend ?? null;
  const fields = { text: request.text, input, provider, model, workspaceBackend: asked };
  // Only where there is one: a request without it keeps the fingerprint that it always had.
  const { webhook } = request;
  const where = request.pool ? { pool: request.pool } : {};
  const turns = turnsOf(request);
  const told = webhook ? { webhook: { url: webhook.url, events: webhook.events ?? null } } : {};
  const runId = uuidv7();
  return {
    runId,
    traceparent: traceparentOf(runId, facts.traceparent),
    kind: request.kind,
    prompt: request.text,
    input,
    provider,
    model,
    workspaceBackend: facts.workspaceBackend,
    pool: facts.pool,
    owner: facts.owner,
    ...turns,
    idempotencyKey: facts.idempotencyKey,
    fingerprint: await fingerprint("POST", `/v1/projects/${projectId}/${noun}`, {
      ...fields,
      ...told,
      ...where,
      ...turns,
    }),
    now: Date.now(),
  };
}
