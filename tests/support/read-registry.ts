import { globSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { Platform } from "./platform.ts";

const IndexedRun = z.object({ runId: z.string(), status: z.string(), attempt: z.int() });
export type IndexedRun = z.infer<typeof IndexedRun>;

/**
 * A project's runs in the cross-thread index, first to last. No route shows the index yet, so this looks into the
 * file that D1 keeps under the edge.
 */
export function readRunIndex(platform: Platform, projectId: string): readonly IndexedRun[] {
  const query =
    "SELECT run_id AS runId, status, attempt FROM run_index WHERE project_id = ? ORDER BY run_index";
  return z.array(IndexedRun).parse(ask(platform, query, projectId));
}

/** Whether the registry knows the run's log to lie in R2. */
export function isArchived(platform: Platform, runId: string): boolean {
  return ask(platform, "SELECT 1 FROM run_logs WHERE run_id = ?", runId).length > 0;
}

function ask(platform: Platform, query: string, value: string): readonly unknown[] {
  const files = globSync(join(platform.stateDirectory, "d1/**/*.sqlite"));
  for (const file of files) {
    const database = new DatabaseSync(file, { readOnly: true });
    try {
      const known = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'run_index'").get();
      if (known !== undefined) return database.prepare(query).all(value);
    } finally {
      database.close();
    }
  }
  throw new Error(`no registry in ${files.join(" ")}`);
}
