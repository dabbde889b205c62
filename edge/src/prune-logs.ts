import { LogManifest, logPrefix, type PlatformEnv } from "@millrace/durable-objects";
import { z } from "zod";
import { logError } from "./log.ts";
import { eventBlobPrefix } from "./runner-keys.ts";
import { deleteExpiredLogs, deleteLogs } from "./session-logs.ts";

const batch = 50;
/** What is left over is for the next hour: a cron that runs on and on would meet itself. */
const budgetMs = 5 * 60_000;

const toPrune =
  "SELECT l.run_id AS runId, l.org_id AS orgId, l.manifest FROM run_logs l JOIN orgs o ON o.id = l.org_id" +
  " WHERE l.pruned_at IS NULL AND l.ended_at <= ? - coalesce(o.log_retention_days, ?) * 86400000" +
  " ORDER BY l.ended_at LIMIT ?";

interface OldLog {
  readonly runId: string;
  readonly orgId: string;
  readonly manifest: string;
}

const Days = z.coerce.number().nonnegative().optional();

/**
 * Deletes archived logs that are older than their org keeps them, oldest first. The snapshot of the run at its end stays. Safe to
 * run twice and to die in: a log counts as pruned only when its objects are gone.
 */
export async function pruneLogs(env: PlatformEnv): Promise<void> {
  const until = Date.now() + budgetMs;
  while (Date.now() < until && (await deleteExpiredLogs(env, Date.now())) > 0);
  // An org that has no number of its own, in a deployment that has none, keeps its logs: nothing is older than null days.
  const days = Days.parse(env.LOG_RETENTION_DAYS) ?? null;
  for (let found = batch; found === batch && Date.now() < until;) {
    const { results } = await env.DB.prepare(toPrune).bind(Date.now(), days, batch).all<OldLog>();
    found = results.length;
    const pruned = await Promise.allSettled(results.map((log) => prune(env, log)));
    const failed = pruned.filter(({ status }) => status === "rejected");
    for (const { reason } of failed as PromiseRejectedResult[]) {
      logError("log not pruned", { error: reason });
    }
    // The same ones would be found again.
    if (failed.length === found) return;
  }
}

async function prune(env: PlatformEnv, { runId, orgId, manifest }: OldLog): Promise<void> {
  const whole = LogManifest.parse(JSON.parse(manifest));
  const prefix = logPrefix({ orgId, runId });
  const keys = whole.parts.map(({ sha256 }) => prefix + sha256);
  for (let from = 0; from < keys.length; from += 1000) {
    await env.ARCHIVES.delete(keys.slice(from, from + 1000));
  }
  await deleteAll(env.ARCHIVES, eventBlobPrefix({ orgId, runId }));
  await deleteLogs(env, { orgId, runId });
  const rest = JSON.stringify({ ...whole, parts: [] });
  await env.DB.prepare("UPDATE run_logs SET manifest = ?, pruned_at = ? WHERE run_id = ?")
    .bind(rest, Date.now(), runId)
    .run();
}

async function deleteAll(bucket: R2Bucket, prefix: string): Promise<void> {
  for (;;) {
    const { objects } = await bucket.list({ prefix });
    if (objects.length === 0) return;
    await bucket.delete(objects.map(({ key }) => key));
  }
}
