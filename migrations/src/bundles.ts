import pool from "../pool/migrations.js";
import run from "../run/migrations.js";
import stream from "../stream/migrations.js";
import subscriptions from "../subscriptions/migrations.js";
import thread from "../thread/migrations.js";

/** The generated SQL of one kind of object, in order, as drizzle-kit bundles it for Workers. */
export interface MigrationBundle {
  readonly journal: {
    readonly entries: readonly {
      readonly idx: number;
      readonly when: number;
      readonly tag: string;
      readonly breakpoints: boolean;
    }[];
  };
  readonly migrations: Readonly<Record<string, string>>;
}

export const runMigrations: MigrationBundle = run;
export const threadMigrations: MigrationBundle = thread;
export const poolMigrations: MigrationBundle = pool;
export const streamMigrations: MigrationBundle = stream;
export const subscriptionsMigrations: MigrationBundle = subscriptions;
