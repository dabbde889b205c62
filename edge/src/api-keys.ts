import { d1 } from "@millrace/migrations";
import { and, eq, isNull, lt, or } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { v7 as uuidv7 } from "uuid";
import { sha256Hex } from "./digest.ts";
import { defaultOrg } from "./edge-env.ts";

const { apiKeys, orgs } = d1;

export type ApiKey = Readonly<typeof apiKeys.$inferSelect>;

/**
 * For how long an isolate believes what it read about a key: a revoked key may still open the door for
 * this long, and in exchange no request but the first waits for the registry.
 */
const cacheMs = 30_000;
const maxCached = 1000;
const touchEveryMs = 60_000;

interface Cached {
  readonly key: ApiKey;
  readonly readAt: number;
}

/** The API keys in D1, as one isolate sees them. */
export class ApiKeys {
  readonly #cached = new Map<string, Cached>();
  readonly #touchedAt = new Map<string, number>();

  /**
   * What an earlier request with this very secret has read. A digest would be one more trip through the runtime for every request;
   * a Map compares strings only when their hashes agree, which are seeded anew in every isolate, so it tells nothing by its time.
   */
  recall(presented: string, now: number): ApiKey | null {
    const cached = this.#cached.get(presented);
    return cached !== undefined && now - cached.readAt < cacheMs ? cached.key : null;
  }

  /** Asks the registry. */
  async find(db: D1Database, presented: string, now: number): Promise<ApiKey | null> {
    const hash = await sha256Hex(presented);
    const [key] = await drizzle(db).select().from(apiKeys).where(eq(apiKeys.hash, hash)).limit(1);
    this.#cached.delete(presented);
    if (key === undefined) return null;
    // Only keys that exist are kept, so that guessing cannot fill the memory.
    if (this.#cached.size >= maxCached) this.#cached.clear();
    this.#cached.set(presented, { key, readAt: now });
    return key;
  }

  /** Notes the use, at most once a minute; undefined when there is nothing to write. */
  touch(db: D1Database, key: ApiKey, now: number): Promise<unknown> | undefined {
    const touched = this.#touchedAt.get(key.id) ?? key.lastUsedAt ?? 0;
    if (now - touched < touchEveryMs) return undefined;
    if (this.#touchedAt.size >= maxCached) this.#touchedAt.clear();
    this.#touchedAt.set(key.id, now);
    const isStale = or(isNull(apiKeys.lastUsedAt), lt(apiKeys.lastUsedAt, now - touchEveryMs));
    return drizzle(db)
      .update(apiKeys)
      .set({ lastUsedAt: now })
      .where(and(eq(apiKeys.id, key.id), isStale))
      .run();
  }
}

/** Writes the default org and its first key. Again, it changes nothing: a revoked first key stays revoked. */
export async function bootstrapFirstKey(db: D1Database, key: string, now: number): Promise<void> {
  const registry = drizzle(db);
  const hash = await sha256Hex(key);
  await registry.batch([
    registry
      .insert(orgs)
      .values({ ...defaultOrg, createdAt: now })
      .onConflictDoNothing(),
    registry
      .insert(apiKeys)
      .values({
        id: uuidv7(),
        hash,
        orgId: defaultOrg.id,
        name: "AGENT_API_KEY",
        role: "admin",
        createdAt: now,
      })
      .onConflictDoNothing(),
  ]);
}
