import type { ThreadRow } from "./store.ts";

/** Writes the project's row in D1. A row that is newer already stays. */
export async function registerProject(db: D1Database, thread: ThreadRow): Promise<void> {
  const { orgId, id, name, latestRunId, createdAt, updatedAt } = thread;
  await db
    .prepare(
      `INSERT INTO projects (org_id, id, name, latest_run_id, created_at, updated_at)
       VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (org_id, id) DO UPDATE SET name = excluded.name,
         latest_run_id = excluded.latest_run_id, updated_at = excluded.updated_at
       WHERE excluded.updated_at > projects.updated_at`,
    )
    .bind(orgId, id, name, latestRunId, createdAt, updatedAt)
    .run();
}
