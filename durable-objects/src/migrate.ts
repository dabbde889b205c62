import type { MigrationBundle } from "@millrace/migrations";
import { drizzle } from "drizzle-orm/durable-sqlite";
import { migrate } from "drizzle-orm/durable-sqlite/migrator";

/**
 * Brings an object's SQLite to the current schema. Call it from the constructor, inside
 * `blockConcurrencyWhile`, so that nothing is delivered to the object before its tables exist.
 */
export async function applyMigrations(
  storage: DurableObjectStorage,
  bundle: MigrationBundle,
): Promise<void> {
  const entries = bundle.journal.entries.map((entry) => ({ ...entry }));
  await migrate(drizzle(storage), {
    journal: { entries },
    migrations: { ...bundle.migrations },
  });
}
