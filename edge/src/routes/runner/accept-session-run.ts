import { traceparentOf, type SessionRunCreate } from "@millrace/contracts";
import type { PlatformEnv, ThreadRun } from "@millrace/durable-objects";
import type { Context } from "hono";
import { v7 as uuidv7 } from "uuid";
import type { JoinedPool } from "../../edge-env.ts";
import { fingerprint } from "../../fingerprint.ts";
import { threadObject } from "../../objects.ts";
import { problem, type ProblemResponse } from "../../problem.ts";
import { turnsOf } from "../v1/accept-run.ts";
import { admitRun, tooManyOpenRuns } from "../v1/admit-run.ts";

export type AcceptedSession =
  | { readonly ok: true; readonly run: ThreadRun; readonly created: boolean }
  | { readonly ok: false; readonly response: ProblemResponse };

/** Creates the run of an AgenticSession, once. It belongs to the pool, not to who made the session. */
export async function acceptSessionRun(
  c: Context,
  { orgId, pool }: JoinedPool,
  asked: SessionRunCreate,
): Promise<AcceptedSession> {
  const env = c.env as PlatformEnv;
  // How a session is executed does not make it another one.
  const { needsOwnPod, interactive, keepOpen, ...meant } = asked;
  const turns = turnsOf({ interactive, keepOpen });
  const { thread, displayName, session, owner, prompt, repos } = meant;
  // The prefix keeps pools out of users' projects, and out of one another's.
  const projectId = `pool.${pool}.${thread ?? session.uid}`;
  const now = Date.now();
  const threadRpc = threadObject(env, orgId, projectId);
  await threadRpc.open(orgId, projectId, displayName ?? session.name, now);
  const { input = null, provider = null, model = null } = asked;
  const runId = uuidv7();
  const answer = await threadRpc.createRun({
    runId,
    traceparent: traceparentOf(runId, c.req.header("traceparent")),
    kind: "run",
    prompt,
    input,
    provider,
    model,
    workspaceBackend: "cluster",
    pool,
    owner,
    session,
    repos,
    needsOwnPod,
    ...turns,
    timeoutSeconds: asked.timeoutSeconds,
    startDeadlineSeconds: asked.startDeadlineSeconds,
    idempotencyKey: `session:${session.uid}`,
    fingerprint: await fingerprint("POST", `/runner/pools/${pool}/runs`, {
      ...meant,
      ...turns,
      input,
      provider,
      model,
    }),
    admitted: await admitRun(env, orgId),
    now,
  });
  if (answer.ok) return answer;
  const { code } = answer;
  if (code === "not_found" || code === "idempotency_mismatch") {
    return { ok: false, response: problem(c, code) };
  }
  return { ok: false, response: tooManyOpenRuns(c, code) };
}
