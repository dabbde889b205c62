import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { SnapshotFold, v1Routes, type RunSnapshot } from "@millrace/contracts";
import type { CallerEnv } from "../../edge-env.ts";
import { ok } from "../../envelope.ts";
import { threadObject } from "../../objects.ts";
import { problem } from "../../problem.ts";
import { v1Status } from "../../projectors/v1/run-status.ts";
import { RunLog } from "../../run-log.ts";

/** Read from the log at a time: an isolate that folds a long log holds no more of it than this. */
const pageChars = 1024 * 1024;

export const snapshot = new OpenAPIHono<CallerEnv>();

snapshot.openapi(createRoute(v1Routes.getSnapshot), async (c) => {
  const { projectId, runId } = c.req.valid("param");
  const { orgId } = c.var.caller;
  const run = await threadObject(c.env, orgId, projectId).run(runId);
  if (run === null) return problem(c, "not_found");
  const found = await snapshotOf(new RunLog(c.env, { orgId, runId, projectId }));
  if (found === null) return problem(c, "unavailable", { retryAfterSeconds: 1 });
  const { state, messages, at } = found;
  const status = v1Status({ status: state.status, startedAt: state.attempt > 0 ? at : null });
  return ok(c, { state: { ...state, status }, messages, at });
});

/** Of an archived log as it was stored at its end, which outlives the log; else from the log itself. Null: it moved meanwhile. */
async function snapshotOf(log: RunLog): Promise<RunSnapshot | null> {
  const archived = await log.archived();
  if (archived !== null) {
    const text = await archived.log.snapshot();
    return text === null ? null : (JSON.parse(text) as RunSnapshot);
  }
  const fold = new SnapshotFold();
  for (let tail = Number.POSITIVE_INFINITY; fold.at < tail;) {
    const page = await log.read(fold.at, pageChars);
    // A run that its thread has just accepted: nothing has happened yet.
    if (page === "not_found") break;
    if (page.kind === "pruned") return null;
    // What happens from now on is for the reader of the suffix.
    tail = Math.min(tail, page.tail);
    fold.add(page.rows);
  }
  return fold.snapshot();
}
