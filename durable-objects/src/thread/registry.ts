import { d1 } from "@millrace/migrations";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { ThreadRow } from "./store.ts";

/** Writes the project's row in D1. A row that is newer already stays. */
export async function registerProject(db: D1Database, thread: ThreadRow): Promise<void> {
  const { orgId, id, name, latestRunId, createdAt, updatedAt } = thread;
  await drizzle(db)
    .insert(d1.projects)
    .values({ orgId, id, name, latestRunId, createdAt, updatedAt })
    .onConflictDoUpdate({
      target: [d1.projects.orgId, d1.projects.id],
      set: { name, latestRunId, updatedAt },
      setWhere: sql`${d1.projects.updatedAt} < ${updatedAt}`,
    });
}
