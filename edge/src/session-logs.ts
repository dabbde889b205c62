import { limits, type PageQuery } from "@millrace/contracts";
import { d1 } from "@millrace/migrations";
import { and, count, desc, eq, lte } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";

const { sessionLogs } = d1;

export type SessionLogRow = Readonly<typeof sessionLogs.$inferSelect>;

interface Run {
  readonly orgId: string;
  readonly runId: string;
}

type LogName = Pick<SessionLogRow, "orgId" | "runId" | "attempt" | "container">;

/** Where the log of a session's container lies in R2. */
export function sessionLogKey({ orgId, runId, attempt, container }: LogName): string {
  return `${orgId}/runs/${runId}/attempt-${attempt}/logs/${container}.log`;
}

interface Stores {
  readonly DB: D1Database;
  readonly ARCHIVES: R2Bucket;
}

/** The row comes first: an object without one would never be found again. */
export async function keepLog(env: Stores, row: SessionLogRow, text: ArrayBuffer): Promise<string> {
  await drizzle(env.DB)
    .insert(sessionLogs)
    .values(row)
    .onConflictDoUpdate({
      target: [sessionLogs.orgId, sessionLogs.runId, sessionLogs.attempt, sessionLogs.container],
      set: { sizeBytes: row.sizeBytes, storedAt: row.storedAt, keepUntil: row.keepUntil },
    })
    .run();
  const key = sessionLogKey(row);
  await env.ARCHIVES.put(key, text);
  await deleteSurplus(env, row);
  return key;
}

/** A run that is tried again and again does not fill the bucket: the newest attempts say most. */
async function deleteSurplus(env: Stores, run: Run): Promise<void> {
  const surplus = await drizzle(env.DB)
    .select()
    .from(sessionLogs)
    .where(ofRun(run))
    .orderBy(desc(sessionLogs.attempt), sessionLogs.container)
    .limit(batch)
    .offset(limits.sessionLogsPerRun);
  await deleteAll(env, surplus);
}

const ofRun = ({ orgId, runId }: Run) =>
  and(eq(sessionLogs.orgId, orgId), eq(sessionLogs.runId, runId));

export async function listLogs(
  db: D1Database,
  run: Run,
  { limit, offset }: PageQuery,
): Promise<{ readonly items: readonly SessionLogRow[]; readonly total: number }> {
  const registry = drizzle(db);
  const [items, [counted]] = await registry.batch([
    registry
      .select()
      .from(sessionLogs)
      .where(ofRun(run))
      .orderBy(sessionLogs.attempt, sessionLogs.container)
      .limit(limit)
      .offset(offset),
    registry.select({ total: count() }).from(sessionLogs).where(ofRun(run)),
  ]);
  return { items, total: counted?.total ?? 0 };
}

export async function isLogKept(db: D1Database, of: LogName): Promise<boolean> {
  const [found] = await drizzle(db)
    .select({ attempt: sessionLogs.attempt })
    .from(sessionLogs)
    .where(
      and(ofRun(of), eq(sessionLogs.attempt, of.attempt), eq(sessionLogs.container, of.container)),
    );
  return found !== undefined;
}

/** All logs of a run; safe to die in. */
export async function deleteLogs(env: Stores, run: Run): Promise<void> {
  await deleteAll(env, await drizzle(env.DB).select().from(sessionLogs).where(ofRun(run)));
}

const batch = 100;

/** Logs that were to be kept until now, at most one batch; answers how many there were. */
export async function deleteExpiredLogs(env: Stores, now: number): Promise<number> {
  const expired = await drizzle(env.DB)
    .select()
    .from(sessionLogs)
    .where(lte(sessionLogs.keepUntil, now))
    .limit(batch);
  await deleteAll(env, expired);
  return expired.length;
}

/** A log that was stored anew meanwhile keeps its row. */
async function deleteAll({ DB, ARCHIVES }: Stores, rows: readonly SessionLogRow[]): Promise<void> {
  if (rows.length === 0) return;
  await ARCHIVES.delete(rows.map(sessionLogKey));
  for (const { orgId, runId, attempt, container, storedAt } of rows) {
    await drizzle(DB)
      .delete(sessionLogs)
      .where(
        and(
          ofRun({ orgId, runId }),
          eq(sessionLogs.attempt, attempt),
          eq(sessionLogs.container, container),
          eq(sessionLogs.storedAt, storedAt),
        ),
      )
      .run();
  }
}
