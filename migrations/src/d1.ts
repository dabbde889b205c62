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

/** As in contracts, which this room may not enter. */
type WebhookEventName = "run.succeeded" | "run.failed" | "run.cancelled" | "run.waiting";

export const orgs = sqliteTable("orgs", {
  id: text("id").primaryKey(),
  slug: text("slug").notNull().unique(),
  name: text("name").notNull(),
  createdAt: integer("created_at").notNull(),
  /** How long archived logs are kept; null: as the deployment says. */
  logRetentionDays: integer("log_retention_days"),
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

/** Pools beside the default one, whose token is the deployment's. */
export const pools = sqliteTable(
  "pools",
  {
    orgId: text("org_id")
      .notNull()
      .references(() => orgs.id),
    name: text("name").notNull(),
    /** SHA-256 of the pool token in lower-case hex. */
    tokenHash: text("token_hash").notNull().unique(),
    /** Of runs that name the pool and no backend. */
    workspaceBackend: text("workspace_backend", { enum: ["host", "cluster"] }).notNull(),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.orgId, table.name] })],
);

/** Logs of sessions' containers that R2 holds. The row is written first and goes last. */
export const sessionLogs = sqliteTable(
  "session_logs",
  {
    orgId: text("org_id").notNull(),
    runId: text("run_id").notNull(),
    attempt: integer("attempt").notNull(),
    container: text("container").notNull(),
    sizeBytes: integer("size_bytes").notNull(),
    storedAt: integer("stored_at").notNull(),
    /** Null: as long as the run's events. */
    keepUntil: integer("keep_until"),
  },
  (table) => [
    primaryKey({ columns: [table.orgId, table.runId, table.attempt, table.container] }),
    index("session_logs_to_prune").on(table.keepUntil),
  ],
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

/** Logs that lie in R2, so that they are read without waking their runs. */
export const runLogs = sqliteTable(
  "run_logs",
  {
    runId: text("run_id").primaryKey(),
    orgId: text("org_id").notNull(),
    projectId: text("project_id").notNull(),
    /** When the log's last event was committed. */
    endedAt: integer("ended_at").notNull(),
    /** `LogManifest` of durable-objects as JSON. Retention takes parts away. */
    manifest: text("manifest").notNull(),
    prunedAt: integer("pruned_at"),
  },
  (table) => [index("run_logs_to_prune").on(table.prunedAt, table.orgId, table.endedAt)],
);

/** Who is told of runs: a project's webhooks, and those that single runs name. */
export const webhooks = sqliteTable(
  "webhooks",
  {
    id: text("id").primaryKey(),
    orgId: text("org_id").notNull(),
    projectId: text("project_id").notNull(),
    /** The one run that it is told of; empty: every run of the project. */
    runId: text("run_id").notNull().default(""),
    url: text("url").notNull(),
    /** A JSON array of event types. */
    events: text("events", { mode: "json" }).$type<readonly WebhookEventName[]>().notNull(),
    disabledReason: text("disabled_reason", { enum: ["gone", "requested"] }),
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
  },
  (table) => [index("webhooks_by_project").on(table.orgId, table.projectId, table.runId)],
);

/** Sealed signing secrets (edge, sealing.ts). The empty webhook id is the secret for webhooks that runs name. */
export const webhookSecrets = sqliteTable(
  "webhook_secrets",
  {
    orgId: text("org_id").notNull(),
    projectId: text("project_id").notNull(),
    webhookId: text("webhook_id").notNull(),
    sealed: text("sealed").notNull(),
    /** The one before; it signs too until `previous_until`. */
    previousSealed: text("previous_sealed"),
    previousUntil: integer("previous_until"),
  },
  (table) => [primaryKey({ columns: [table.orgId, table.projectId, table.webhookId] })],
);

/** One event for one webhook. The run object writes the row and asks until it is settled; the edge delivers. */
export const webhookDeliveries = sqliteTable(
  "webhook_deliveries",
  {
    /** `run_seq_webhook`: the `webhook-id` header. */
    id: text("id").primaryKey(),
    orgId: text("org_id").notNull(),
    projectId: text("project_id").notNull(),
    runId: text("run_id").notNull(),
    webhookId: text("webhook_id").notNull(),
    seq: integer("seq").notNull(),
    type: text("type").$type<WebhookEventName>().notNull(),
    eventAt: integer("event_at").notNull(),
    status: text("status", { enum: ["pending", "delivered", "dead"] }).notNull(),
    /** Failed tries since the delivery was last asked for. */
    tries: integer("tries").notNull(),
    /** Not to be tried before; a try that is under way moves it on, so that no other begins. */
    nextAt: integer("next_at").notNull(),
    createdAt: integer("created_at").notNull(),
    settledAt: integer("settled_at"),
  },
  (table) => [
    index("webhook_deliveries_by_project").on(table.orgId, table.projectId, table.createdAt),
    index("webhook_deliveries_by_run").on(table.orgId, table.runId, table.seq),
    index("webhook_deliveries_by_settling").on(table.settledAt, table.id),
  ],
);

/** The delivery log: one row per try. What a receiver answered beyond its status is not kept. */
export const webhookAttempts = sqliteTable(
  "webhook_attempts",
  {
    id: integer("id").primaryKey({ autoIncrement: true }),
    deliveryId: text("delivery_id").notNull(),
    at: integer("at").notNull(),
    ok: integer("ok", { mode: "boolean" }).notNull(),
    statusCode: integer("status_code"),
    durationMs: integer("duration_ms").notNull(),
    error: text("error"),
    nextAt: integer("next_at"),
  },
  (table) => [index("webhook_attempts_by_delivery").on(table.deliveryId)],
);
