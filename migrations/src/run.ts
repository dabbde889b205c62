import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** The run's documents, one row each: `spec` and `release` are written once, `state` at every change. */
export const runDocument = sqliteTable("document", {
  name: text({ enum: ["spec", "release", "state"] }).primaryKey(),
  body: text().notNull(),
});

/**
 * The event log, packed: one row per flush. `body` is `n` event lines (contracts, log-frame.ts) whose
 * seqs start at `first`. The primary key is the only index: an append writes one row here.
 */
export const runLog = sqliteTable("log", {
  first: integer().primaryKey(),
  n: integer().notNull(),
  at: integer().notNull(),
  attempt: integer().notNull(),
  body: text().notNull(),
});

/** How far each writer has come. `epoch` is its attempt; `next` the producerSeq that it must send now. */
export const runProducer = sqliteTable("producer", {
  id: text().primaryKey(),
  epoch: integer().notNull(),
  next: integer().notNull(),
});

/** Checkpoint steps in commit order. `seq` is the log's tail after the frame that carried the step. */
export const runStep = sqliteTable("step", {
  id: integer().primaryKey(),
  attempt: integer().notNull(),
  n: integer().notNull(),
  seq: integer().notNull(),
  body: text().notNull(),
});

/**
 * Everything the run waits for or still owes to others, behind one alarm. An effect's row goes when its effect
 * is confirmed. `mark` tells a newer wish under the same key from the one that was just fulfilled.
 */
export const runDue = sqliteTable("due", {
  what: text().primaryKey(),
  at: integer().notNull(),
  tries: integer().notNull(),
  mark: integer().notNull(),
});

/** What a user said to the run, in order. `key` is the request's; of a run whose log has left the object the content is gone. */
export const runInput = sqliteTable("input", {
  n: integer().primaryKey(),
  key: text().notNull(),
  fingerprint: text().notNull(),
  content: text(),
});

/** Multipart uploads that were begun and neither completed nor aborted. */
export const runUpload = sqliteTable("upload", {
  id: text().primaryKey(),
  key: text().notNull(),
  attempt: integer().notNull(),
});
