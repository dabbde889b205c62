import type { PageQuery } from "@millrace/contracts";
import { d1 } from "@millrace/migrations";
import { and, count, eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { defaultOrg, defaultPool, type JoinedPool } from "./edge-env.ts";

const { pools } = d1;

export type PoolEntry = Pick<typeof pools.$inferSelect, "name" | "workspaceBackend">;

const theDefault: PoolEntry = { name: defaultPool, workspaceBackend: "host" };

/** The pool that a token opens; by its hash, so that the time it takes tells nothing of the token. */
export async function findPoolByToken(
  db: D1Database,
  tokenHash: string,
): Promise<JoinedPool | null> {
  const [found] = await drizzle(db)
    .select({ orgId: pools.orgId, pool: pools.name })
    .from(pools)
    .where(eq(pools.tokenHash, tokenHash))
    .limit(1);
  return found ?? null;
}

/** Whether a pool that was there at this time (Unix ms) still is; one that was deleted and made anew is another. */
export async function isStillThere(
  db: D1Database,
  { orgId, pool }: JoinedPool,
  at: number,
): Promise<boolean> {
  if (pool === defaultPool) return true;
  const [found] = await drizzle(db)
    .select({ createdAt: pools.createdAt })
    .from(pools)
    .where(and(eq(pools.orgId, orgId), eq(pools.name, pool)));
  return found !== undefined && found.createdAt <= at;
}

/** The pool of this name; the default one is there without a row, and needs no question. */
export async function findPool(
  db: D1Database,
  orgId: string,
  name: string,
): Promise<PoolEntry | null> {
  if (name === defaultPool) return theDefault;
  const [found] = await drizzle(db)
    .select()
    .from(pools)
    .where(and(eq(pools.orgId, orgId), eq(pools.name, name)))
    .limit(1);
  return found ?? null;
}

/** False: there is one of this name. */
export async function insertPool(
  db: D1Database,
  pool: typeof pools.$inferInsert,
): Promise<boolean> {
  const { meta } = await drizzle(db).insert(pools).values(pool).onConflictDoNothing().run();
  return meta.changes > 0;
}

/** False: there was none. */
export async function removePool(db: D1Database, orgId: string, name: string): Promise<boolean> {
  const { meta } = await drizzle(db)
    .delete(pools)
    .where(and(eq(pools.orgId, orgId), eq(pools.name, name)))
    .run();
  return meta.changes > 0;
}

/** The default pool first, then those of the registry by name. Its runners all work for the default org. */
export async function listPools(
  db: D1Database,
  orgId: string,
  { limit, offset }: PageQuery,
): Promise<{ readonly items: readonly PoolEntry[]; readonly total: number }> {
  const first = orgId === defaultOrg.id ? [theDefault] : [];
  const own = first.slice(offset, offset + limit);
  const registry = drizzle(db);
  const ofOrg = eq(pools.orgId, orgId);
  const [rows, [counted]] = await registry.batch([
    registry
      .select()
      .from(pools)
      .where(ofOrg)
      .orderBy(pools.name)
      .limit(limit - own.length)
      .offset(Math.max(0, offset - first.length)),
    registry.select({ total: count() }).from(pools).where(ofOrg),
  ]);
  return { items: [...own, ...rows], total: first.length + (counted?.total ?? 0) };
}
