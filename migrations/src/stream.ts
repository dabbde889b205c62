import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** What a stream is, as one document under the name `stream`. */
export const streamDocument = sqliteTable("document", {
  name: text().primaryKey(),
  body: text().notNull(),
});

/** The messages, packed like a run's events (run.ts): the same code reads and writes both. */
export const streamLog = sqliteTable("log", {
  first: integer().primaryKey(),
  n: integer().notNull(),
  at: integer().notNull(),
  attempt: integer().notNull(),
  body: text().notNull(),
});

/** How far each idempotent producer has come. `last` is the highest sequence number that was accepted. */
export const streamProducer = sqliteTable("producer", {
  id: text().primaryKey(),
  epoch: integer().notNull(),
  last: integer().notNull(),
});

/** Streams that were forked off this one and are still there. */
export const streamFork = sqliteTable("fork", {
  name: text().primaryKey(),
});
