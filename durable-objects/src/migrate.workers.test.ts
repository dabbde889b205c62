import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import type { MigrationBundle } from "@millrace/migrations";
import { expect, it } from "vitest";
import { applyMigrations } from "./migrate.ts";

const entry = (idx: number) => ({ idx, tag: `000${idx}_x`, when: idx, breakpoints: true });

function bundleOf(...files: readonly string[]): MigrationBundle {
  return {
    journal: { entries: files.map((_, idx) => entry(idx)) },
    migrations: Object.fromEntries(files.map((file, idx) => [`m000${idx}`, file])),
  };
}

const first = "CREATE TABLE a (x integer);\n--> statement-breakpoint\nCREATE INDEX a_x ON a (x);";
const second = "ALTER TABLE a ADD y integer;";

function withStorage<T>(name: string, act: (storage: DurableObjectStorage) => T) {
  return runInDurableObject(env.THREADS.getByName(name), (_, { storage }) => act(storage));
}

it("applies each migration once, in order, and later ones to an object that has the earlier", async () => {
  const columns = await withStorage("migrate-once", (storage) => {
    applyMigrations(storage, bundleOf(first));
    applyMigrations(storage, bundleOf(first));
    applyMigrations(storage, bundleOf(first, second));
    return storage.sql.exec("SELECT * FROM a").columnNames;
  });
  expect(columns).toEqual(["x", "y"]);
});

it("leaves nothing behind of a migration that fails", async () => {
  await withStorage("migrate-fails", (storage) => {
    expect(() => applyMigrations(storage, bundleOf(first, "CREATE nonsense"))).toThrow("syntax");
    expect(storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'a'").toArray()).toEqual([]);
  });
});
