import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** What a PoolObject keeps; all of it could be rebuilt from the runs. Times are Unix ms. */

/** Runs that want a runner, first come first served. */
export const waiting = sqliteTable(
  "waiting",
  {
    place: integer("place").primaryKey({ autoIncrement: true }),
    runId: text("run_id").notNull().unique(),
    orgId: text("org_id").notNull(),
    projectId: text("project_id").notNull(),
    attempt: integer("attempt").notNull(),
    since: integer("since").notNull(),
    /** `RunSpec` as JSON, of a run that wants a session; null: it wants a long-lived runner. */
    spec: text("spec"),
    /** A session was asked for: no warm runner is offered the run any more. */
    started: integer("started").notNull().default(0),
  },
  (table) => [index("waiting_since").on(table.since)],
);

/** Offers without an answer; each holds one slot of its runner. */
export const offers = sqliteTable(
  "offers",
  {
    runId: text("run_id").primaryKey(),
    attempt: integer("attempt").notNull(),
    runnerId: text("runner_id").notNull(),
    deadline: integer("deadline").notNull(),
  },
  (table) => [
    index("offers_by_runner").on(table.runnerId),
    index("offers_by_deadline").on(table.deadline),
  ],
);

/** Runners that would not take an attempt, and why. */
export const refusals = sqliteTable(
  "refusals",
  {
    runId: text("run_id").notNull(),
    runnerId: text("runner_id").notNull(),
    reason: text("reason", {
      enum: ["full", "draining", "already_running", "other_org", "silent"],
    }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.runId, table.runnerId] })],
);

/** The runner that last took a run of a project: it may still hold the project's files. */
export const holders = sqliteTable("holders", {
  projectId: text("project_id").primaryKey(),
  runnerId: text("runner_id").notNull(),
  takenAt: integer("taken_at").notNull(),
});

/** What the operator was told and has not confirmed. `body` is the message without what is made anew at each send. */
export const commands = sqliteTable("commands", {
  key: text("key").primaryKey(),
  runId: text("run_id").notNull(),
  attempt: integer("attempt").notNull(),
  kind: text("kind", { enum: ["start", "adopt", "stop"] }).notNull(),
  body: text("body").notNull(),
  since: integer("since").notNull(),
  nextAt: integer("next_at").notNull(),
  tries: integer("tries").notNull(),
});

/** Idle pods that have joined, until their tokens are over. */
export const warmPods = sqliteTable("warm_pods", {
  podName: text("pod_name").primaryKey(),
  /** Of the process that joined last before the pod was spent. */
  runnerId: text("runner_id").notNull(),
  seenAt: integer("seen_at").notNull(),
  /** It was given its run; no other is ever offered to it. */
  spent: integer("spent").notNull().default(0),
});
