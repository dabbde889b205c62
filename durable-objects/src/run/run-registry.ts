import type { RunSpec, RunView, Usage } from "@millrace/contracts";
import type { LogManifest } from "../archive/log-manifest.ts";
import type { Artifact } from "./state.ts";

/** Rows of the cross-thread registry in D1 that a run keeps up to date (migrations/src/d1.ts). */
const upsertRun =
  "INSERT INTO run_index (run_id, org_id, project_id, run_index, status, version, attempt, provider, model," +
  " input_tokens, output_tokens, total_tokens, cost_usd, created_at, started_at, completed_at, updated_at)" +
  " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" +
  " ON CONFLICT (run_id) DO UPDATE SET status = excluded.status, version = excluded.version," +
  " attempt = excluded.attempt, provider = excluded.provider, model = excluded.model," +
  " input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens," +
  " total_tokens = excluded.total_tokens, cost_usd = excluded.cost_usd, started_at = excluded.started_at," +
  " completed_at = excluded.completed_at, updated_at = excluded.updated_at" +
  " WHERE excluded.version > run_index.version";

export async function saveRunIndex(db: D1Database, view: RunView): Promise<void> {
  const { spec } = view;
  const values = [
    spec.runId,
    spec.orgId,
    spec.projectId,
    spec.runIndex,
    view.status,
    view.version,
    view.attempt,
    view.provider ?? spec.provider,
    view.model ?? spec.model,
    ...tokensOf(view.usage),
    view.cost?.estimatedUsd ?? null,
    spec.createdAt,
    view.startedAt,
    view.completedAt,
    view.updatedAt,
  ];
  await db
    .prepare(upsertRun)
    .bind(...values)
    .run();
}

function tokensOf(usage: Usage | null): (number | null)[] {
  if (usage === null) return [null, null, null];
  return [usage.inputTokens, usage.outputTokens, usage.totalTokens];
}

const upsertArtifact =
  "INSERT INTO artifacts (key, org_id, project_id, run_id, attempt, kind, size_bytes, file_count, created_at)" +
  " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET size_bytes = excluded.size_bytes," +
  " file_count = excluded.file_count, created_at = excluded.created_at";

export async function saveArtifacts(
  db: D1Database,
  spec: RunSpec,
  artifacts: readonly Artifact[],
): Promise<void> {
  if (artifacts.length === 0) return;
  const { orgId, projectId, runId } = spec;
  const statement = db.prepare(upsertArtifact);
  await db.batch(
    artifacts.map(({ key, attempt, kind, sizeBytes, fileCount, at }) =>
      statement.bind(key, orgId, projectId, runId, attempt, kind, sizeBytes, fileCount, at),
    ),
  );
}

const upsertRunLog =
  "INSERT INTO run_logs (run_id, org_id, project_id, ended_at, manifest) VALUES (?, ?, ?, ?, ?)" +
  " ON CONFLICT (run_id) DO NOTHING";

/** Once written it is retention's: the object must not bring back what was pruned. */
export async function saveRunLog(
  db: D1Database,
  { orgId, projectId, runId }: RunSpec,
  manifest: LogManifest,
): Promise<void> {
  const body = JSON.stringify(manifest);
  await db.prepare(upsertRunLog).bind(runId, orgId, projectId, manifest.at, body).run();
}
