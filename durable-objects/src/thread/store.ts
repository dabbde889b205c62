import { RunSpec, WorkspaceState } from "@millrace/contracts";
import type { Turn } from "./decide-conversation.ts";
import type { OpenRun } from "./decide-next.ts";
import { decidePage } from "./decide-page.ts";
import type { ReportDecision } from "./decide-report.ts";
import { StoredView } from "./state.ts";
import type { StoredRun } from "./state.ts";
import type { Page, ThreadMessage, ThreadProject } from "./thread-rpc.ts";

const turnsPerQuery = 20;

export interface NewThread {
  readonly orgId: string;
  readonly projectId: string;
  readonly name: string;
  readonly now: number;
}

export interface ThreadRow extends ThreadProject {
  readonly orgId: string;
  readonly registeredAt: number | null;
}

export interface SavedReport extends ReportDecision {
  readonly over: boolean;
  readonly now: number;
}

type Row<Columns extends string, Value extends SqlStorageValue = SqlStorageValue> = Record<
  Columns,
  Value
>;

const runColumns = `run_id AS runId, run_index AS runIndex, parent_run_id AS parentRunId, writable,
  fingerprint, spec_json AS spec, view_json AS view, over, released_at AS releasedAt,
  heard_at AS heardAt, workspace_json AS workspace`;

type RunRow = Row<"runId" | "fingerprint" | "spec" | "view", string> &
  Row<"parentRunId" | "workspace", string | null> &
  Row<"runIndex" | "writable" | "over" | "heardAt", number> &
  Row<"releasedAt", number | null>;

type MessageRow = Row<"id" | "createdAt", number> &
  Row<"runId" | "content", string> &
  Row<"role", "user" | "assistant"> &
  Row<"input", string | null>;

type TurnRow = Row<"prompt", string> & Row<"answer", string | null>;

/** The thread's SQL; the tables stand in migrations/src/thread.ts. Writes that belong together go through `transaction`. */
export class ThreadStore {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#sql = storage.sql;
  }

  transaction<T>(work: () => T): T {
    return this.#storage.transactionSync(work);
  }

  /** Whether this object has ever been given its tables. */
  exists(): boolean {
    const tables = this.#sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'thread'");
    return tables.toArray().length > 0;
  }

  thread(): ThreadRow | null {
    const [row] = this.#sql.exec<
      Row<"id" | "orgId" | "name", string> &
        Row<"createdAt" | "updatedAt", number> &
        Row<"latestRunId", string | null> &
        Row<"registeredAt", number | null>
    >(
      `SELECT project_id AS id, org_id AS orgId, name, latest_run_id AS latestRunId,
        created_at AS createdAt, updated_at AS updatedAt, registered_at AS registeredAt FROM thread`,
    );
    return row ?? null;
  }

  insertThread({ orgId, projectId, name, now }: NewThread): ThreadRow {
    this.#sql.exec(
      `INSERT INTO thread (id, org_id, project_id, name, created_at, updated_at)
       VALUES (1, ?, ?, ?, ?, ?)`,
      orgId,
      projectId,
      name,
      now,
      now,
    );
    const fresh = { latestRunId: null, createdAt: now, updatedAt: now, registeredAt: null };
    return { id: projectId, orgId, name, ...fresh };
  }

  /** Something that the registry shows has changed. */
  touchThread(now: number, latestRunId: string | null = null): void {
    this.#sql.exec(
      `UPDATE thread SET updated_at = max(?, updated_at + 1),
         latest_run_id = coalesce(?, latest_run_id)`,
      now,
      latestRunId,
    );
  }

  /** The registry holds the thread as it was at `updatedAt`; answers whether that is how it still is. */
  markRegistered(updatedAt: number): boolean {
    const { current } = this.#sql
      .exec<{ current: number }>(
        "UPDATE thread SET registered_at = ? RETURNING updated_at AS current",
        updatedAt,
      )
      .one();
    return current === updatedAt;
  }

  runByKey(idempotencyKey: string): StoredRun | null {
    const [row] = this.#sql.exec<RunRow>(
      `SELECT ${runColumns} FROM runs WHERE idempotency_key = ?`,
      idempotencyKey,
    );
    return row ? parseRun(row) : null;
  }

  run(runId: string): StoredRun | null {
    const [row] = this.#sql.exec<RunRow>(`SELECT ${runColumns} FROM runs WHERE run_id = ?`, runId);
    return row ? parseRun(row) : null;
  }

  latest(): { readonly runId: string; readonly runIndex: number } | null {
    const [row] = this.#sql.exec<Row<"runId", string> & Row<"runIndex", number>>(
      "SELECT run_id AS runId, run_index AS runIndex FROM runs ORDER BY run_index DESC LIMIT 1",
    );
    return row ?? null;
  }

  /** Whether this many runs are not over. */
  hasOpen(count: number): boolean {
    const rows = this.#all<Row<"found", number>>(
      "SELECT 1 AS found FROM runs WHERE over = 0 ORDER BY run_index LIMIT 1 OFFSET ?",
      count - 1,
    );
    return rows.length > 0;
  }

  /** The first two runs that are not over, in order. */
  open(): readonly OpenRun[] {
    return this.#all<
      Row<"runId", string> & Row<"releasedAt", number | null> & Row<"heardAt", number>
    >(
      `SELECT run_id AS runId, released_at AS releasedAt, heard_at AS heardAt FROM runs
       WHERE over = 0 ORDER BY run_index LIMIT 2`,
    );
  }

  /** The run and its prompt as the user's message; it is the writable one from here on. */
  insertRun(run: StoredRun): void {
    const { spec, view, runId, runIndex, heardAt } = run;
    if (runIndex > 1) this.#sql.exec("UPDATE runs SET writable = 0 WHERE writable = 1");
    this.#sql.exec(
      `INSERT INTO runs (run_index, run_id, parent_run_id, writable, idempotency_key, fingerprint,
         spec_json, view_json, over, heard_at) VALUES (?, ?, ?, 1, ?, ?, ?, ?, 0, ?)`,
      runIndex,
      runId,
      run.parentRunId,
      spec.idempotencyKey,
      run.fingerprint,
      JSON.stringify(spec),
      JSON.stringify(view),
      heardAt,
    );
    const input = spec.input === null ? null : JSON.stringify(spec.input);
    this.#sql.exec(
      `INSERT INTO messages (run_id, run_index, role, content, input_json, created_at)
       VALUES (?, ?, 'user', ?, ?, ?)`,
      runId,
      runIndex,
      spec.prompt,
      input,
      spec.createdAt,
    );
  }

  markReleased(runId: string, now: number): void {
    this.#sql.exec(
      "UPDATE runs SET released_at = ?, heard_at = ? WHERE run_id = ?",
      now,
      now,
      runId,
    );
  }

  /** Saves what a report changed. */
  saveReport({ runId, runIndex }: StoredRun, report: SavedReport): void {
    const { view, workspace, answer, over, now } = report;
    this.#sql.exec(
      `UPDATE runs SET view_json = ?, over = ?, heard_at = ?, workspace_json = ? WHERE run_id = ?`,
      JSON.stringify(view),
      over ? 1 : 0,
      now,
      workspace && JSON.stringify(workspace),
      runId,
    );
    if (answer === null) return;
    this.#sql.exec(
      `INSERT INTO messages (run_id, run_index, role, content, created_at)
       VALUES (?, ?, 'assistant', ?, ?) ON CONFLICT DO NOTHING`,
      runId,
      runIndex,
      answer,
      view.completedAt ?? now,
    );
  }

  /** Newest first. The page ends early where it would weigh too much. */
  runs(limit: number, offset: number): Page<StoredRun> {
    const sizes = this.#all<Row<"chars", number>>(
      `SELECT length(spec_json) + length(view_json) AS chars FROM runs
       ORDER BY run_index DESC LIMIT ? OFFSET ?`,
      limit,
      offset,
    );
    const rows = this.#all<RunRow>(
      `SELECT ${runColumns} FROM runs ORDER BY run_index DESC LIMIT ? OFFSET ?`,
      decidePage(sizes.map((size) => size.chars)),
      offset,
    );
    return { items: rows.map(parseRun), total: this.latest()?.runIndex ?? 0 };
  }

  /** Oldest first. A run has at most its prompt and its answer. */
  messages(runId: string, limit: number, offset: number): Page<ThreadMessage> {
    const rows = this.#all<MessageRow>(
      `SELECT id, run_id AS runId, role, content, input_json AS input, created_at AS createdAt
       FROM messages WHERE run_index = (SELECT run_index FROM runs WHERE run_id = ?) ORDER BY id`,
      runId,
    );
    const items = rows.slice(offset, offset + limit).map(parseMessage);
    return { items, total: rows.length };
  }

  /** The turns before this run, newest first; read only as far as they are taken. */
  *turnsBefore(runIndex: number): Generator<Turn> {
    let before = runIndex;
    while (before > 1) {
      const from = Math.max(before - turnsPerQuery, 1);
      yield* this.#all<TurnRow>(
        `SELECT asked.content AS prompt, answered.content AS answer FROM messages AS asked
         LEFT JOIN messages AS answered
           ON answered.run_index = asked.run_index AND answered.role = 'assistant'
         WHERE asked.run_index >= ? AND asked.run_index < ? AND asked.role = 'user'
         ORDER BY asked.run_index DESC`,
        from,
        before,
      );
      before = from;
    }
  }

  /** The files as the newest run before this one that stored any has left them. */
  workspaceBefore(runIndex: number): WorkspaceState | null {
    if (runIndex === 1) return null;
    const [row] = this.#sql.exec<Row<"workspace", string>>(
      `SELECT workspace_json AS workspace FROM runs
       WHERE run_index < ? AND workspace_json IS NOT NULL ORDER BY run_index DESC LIMIT 1`,
      runIndex,
    );
    return row ? WorkspaceState.parse(JSON.parse(row.workspace)) : null;
  }

  #all<T extends Row<string>>(query: string, ...values: SqlStorageValue[]): T[] {
    return this.#sql.exec<T>(query, ...values).toArray();
  }
}

function parseRun({ spec, view, workspace, writable, over, ...row }: RunRow): StoredRun {
  return {
    ...row,
    writable: writable === 1,
    over: over === 1,
    spec: RunSpec.parse(JSON.parse(spec)),
    view: StoredView.parse(JSON.parse(view)),
    workspace: workspace === null ? null : WorkspaceState.parse(JSON.parse(workspace)),
  };
}

function parseMessage({ input, ...message }: MessageRow): ThreadMessage {
  return { ...message, input: input === null ? null : JSON.parse(input) };
}
