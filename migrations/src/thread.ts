import { sql } from "drizzle-orm";
import {
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";

/** What a ThreadObject keeps. Times are Unix ms; columns named *_json are parsed by the store. */

/** One row: which project this object is. */
export const thread = sqliteTable("thread", {
  id: integer("id").primaryKey(),
  orgId: text("org_id").notNull(),
  projectId: text("project_id").notNull(),
  name: text("name").notNull(),
  latestRunId: text("latest_run_id"),
  createdAt: integer("created_at").notNull(),
  /** Strictly increasing, so that a late write to the registry never overtakes a newer one. */
  updatedAt: integer("updated_at").notNull(),
  /** The `updated_at` that the registry is known to hold; null: not registered yet. */
  registeredAt: integer("registered_at"),
});

export const runs = sqliteTable(
  "runs",
  {
    runIndex: integer("run_index").primaryKey(),
    runId: text("run_id").notNull().unique(),
    parentRunId: text("parent_run_id"),
    writable: integer("writable", { mode: "boolean" }).notNull(),
    idempotencyKey: text("idempotency_key").notNull().unique(),
    fingerprint: text("fingerprint").notNull(),
    /** A RunSpec. */
    specJson: text("spec_json").notNull(),
    /** The newest reported RunView, without its spec. */
    viewJson: text("view_json").notNull(),
    over: integer("over", { mode: "boolean" }).notNull(),
    /** When its predecessors were over; null: it waits for them. */
    releasedAt: integer("released_at"),
    /** When the run last said something. */
    heardAt: integer("heard_at").notNull(),
    /** The WorkspaceState that the run left, once stored. */
    workspaceJson: text("workspace_json"),
  },
  (table) => [
    uniqueIndex("runs_one_writable")
      .on(table.writable)
      .where(sql`${table.writable} = 1`),
    index("runs_open")
      .on(table.runIndex)
      .where(sql`${table.over} = 0`),
  ],
);

export const messages = sqliteTable(
  "messages",
  {
    id: integer("id").primaryKey({ autoIncrement: true }),
    runId: text("run_id").notNull(),
    runIndex: integer("run_index").notNull(),
    role: text("role", { enum: ["user", "assistant"] }).notNull(),
    content: text("content").notNull(),
    inputJson: text("input_json"),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [uniqueIndex("messages_once").on(table.runIndex, table.role)],
);

/** Effects that are owed. A row goes when its effect is confirmed; one alarm stands at the earliest `at`. */
export const due = sqliteTable(
  "due",
  {
    kind: text("kind", { enum: ["init", "release", "ask", "register"] }).notNull(),
    /** The run that it is about; empty for the thread itself. */
    subject: text("subject").notNull(),
    at: integer("at").notNull(),
    tries: integer("tries").notNull().default(0),
  },
  (table) => [
    primaryKey({ columns: [table.kind, table.subject] }),
    index("due_by_time").on(table.at),
  ],
);
