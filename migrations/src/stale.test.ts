import { generateSQLiteDrizzleJson, generateSQLiteMigration } from "drizzle-kit/api";
import { describe, expect, it } from "vitest";
import * as d1 from "./d1.ts";
import * as pool from "./pool.ts";
import * as run from "./run.ts";
import * as stream from "./stream.ts";
import * as subscriptions from "./subscriptions.ts";
import * as thread from "./thread.ts";

const schemas = { d1, pool, run, stream, subscriptions, thread };

describe("generated SQL", () => {
  // When this fails: npm run migrations:generate -w migrations
  it.for(Object.entries(schemas))("of %s is what its schema says", async ([folder, schema]) => {
    const meta = `../${folder}/meta`;
    const { default: journal } = await import(`${meta}/_journal.json`);
    const number = String(journal.entries.at(-1).idx).padStart(4, "0");
    const { default: snapshot } = await import(`${meta}/${number}_snapshot.json`);
    const now = await generateSQLiteDrizzleJson(schema, snapshot.id);
    expect(await generateSQLiteMigration(snapshot, now)).toEqual([]);
  });
});
