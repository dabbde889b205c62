import { sql } from "drizzle-orm";
import {
  index,
  integer,
  primaryKey,
  real,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";

/** The registry and the cross-thread index, in D1. Times are Unix ms. */

export const orgs = sqliteTable("orgs", {
  id: text("id").primaryKey(),
  slug: text("slug").notNull().unique(),
  name: text("name").notNull(),
  createdAt: integer("created_at").notNull(),
});

export const apiKeys = sqliteTable(
  "api_keys",
  {
    id: text("id").primaryKey(),
    /** SHA-256 of the key in lower-case hex; the key itself is nowhere. */
    hash: text("hash").notNull().unique(),
    orgId: text("org_id")
      .notNull()
      .references(() => orgs.id),
    name: text("name").notNull(),
    role: text("role", { enum: ["admin", "member", "viewer"] }).notNull(),
    /** Null: every project of the org. */
    projectId: text("project_id"),
    expiresAt: integer("expires_at"),
    lastUsedAt: integer("last_used_at"),
    revokedAt: integer("revoked_at"),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [index("api_keys_by_org").on(table.orgId)],
);

/** Written by the thread that is the project: this row lets projects be listed, the thread holds the truth. */
export const projects = sqliteTable(
  "projects",
  {
    orgId: text("org_id").notNull(),
    id: text("id").notNull(),
    name: text("name").notNull(),
    latestRunId: text("latest_run_id"),
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.orgId, table.id] }),
    index("projects_by_update").on(table.orgId, table.updatedAt, table.createdAt),
  ],
);

/** Runs across threads; rebuildable from the run objects. A row is replaced only by a larger `version`. */
export const runIndex = sqliteTable(
  "run_index",
  {
    runId: text("run_id").primaryKey(),
    orgId: text("org_id").notNull(),
    projectId: text("project_id").notNull(),
    runIndex: integer("run_index").notNull(),
    status: text("status").notNull(),
    version: integer("version").notNull(),
    attempt: integer("attempt").notNull(),
    provider: text("provider"),
    model: text("model"),
    inputTokens: integer("input_tokens"),
    outputTokens: integer("output_tokens"),
    totalTokens: integer("total_tokens"),
    costUsd: real("cost_usd"),
    createdAt: integer("created_at").notNull(),
    startedAt: integer("started_at"),
    completedAt: integer("completed_at"),
    updatedAt: integer("updated_at").notNull(),
  },
  (table) => [
    index("run_index_by_org").on(table.orgId, table.createdAt),
    index("run_index_by_project").on(table.orgId, table.projectId, table.runIndex),
    index("run_index_by_status").on(table.orgId, table.status, table.createdAt),
  ],
);

/**
 * What a model costs per 1000 tokens. A new price is a new row with a new version, so that a stored cost
 * can be explained later; at most one row of a model is active.
 */
export const modelPricing = sqliteTable(
  "model_pricing",
  {
    id: integer("id").primaryKey({ autoIncrement: true }),
    provider: text("provider").notNull(),
    model: text("model").notNull(),
    currency: text("currency").notNull().default("USD"),
    inputPer1k: real("input_per_1k").notNull(),
    outputPer1k: real("output_per_1k").notNull(),
    /** Null: cached input costs what input costs. */
    cachedInputPer1k: real("cached_input_per_1k"),
    /** Null: reasoning costs what output costs. */
    reasoningPer1k: real("reasoning_per_1k"),
    pricingVersion: text("pricing_version").notNull(),
    active: integer("active", { mode: "boolean" }).notNull().default(true),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [
    uniqueIndex("model_pricing_version").on(table.provider, table.model, table.pricingVersion),
    uniqueIndex("model_pricing_active")
      .on(sql`lower(${table.provider})`, sql`lower(${table.model})`)
      .where(sql`${table.active} = 1`),
  ],
);

/** What R2 holds for a run, so that archives can be listed and swept without asking every run. */
export const artifacts = sqliteTable(
  "artifacts",
  {
    /** The R2 key. */
    key: text("key").primaryKey(),
    orgId: text("org_id").notNull(),
    projectId: text("project_id").notNull(),
    runId: text("run_id").notNull(),
    attempt: integer("attempt").notNull(),
    kind: text("kind", { enum: ["zip", "bundle"] }).notNull(),
    sizeBytes: integer("size_bytes").notNull(),
    fileCount: integer("file_count"),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [index("artifacts_by_run").on(table.orgId, table.runId)],
);
