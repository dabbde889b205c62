/** A message to the operator that it has not confirmed. */
export interface StoredCommand {
  readonly key: string;
  readonly runId: string;
  readonly attempt: number;
  readonly kind: "start" | "adopt" | "stop";
  /** The message as JSON, without token. */
  readonly body: string;
  readonly tries: number;
}

type NewCommand = Omit<StoredCommand, "tries">;
type CommandRow = StoredCommand & Record<string, SqlStorageValue>;

const columns = "key, run_id AS runId, attempt, kind, body, tries";

/** The SQL of the pool's outbox; the table stands in migrations/src/pool.ts. */
export class CommandStore {
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
  }

  /** The same command again is due again. */
  save({ key, runId, attempt, kind, body }: NewCommand, now: number): void {
    this.#sql.exec(
      `INSERT INTO commands (key, run_id, attempt, kind, body, since, next_at, tries)
       VALUES (?, ?, ?, ?, ?, ?, ?, 0)
       ON CONFLICT (key) DO UPDATE SET body = excluded.body, next_at = excluded.next_at`,
      key,
      runId,
      attempt,
      kind,
      body,
      now,
      now,
    );
  }

  get(key: string): StoredCommand | null {
    const [command] = this.#sql.exec<CommandRow>(
      `SELECT ${columns} FROM commands WHERE key = ?`,
      key,
    );
    return command ?? null;
  }

  due(now: number): readonly StoredCommand[] {
    const due = this.#sql.exec<CommandRow>(
      `SELECT ${columns} FROM commands WHERE next_at <= ? ORDER BY since, key`,
      now,
    );
    return due.toArray();
  }

  sent(key: string, tries: number, nextAt: number): void {
    this.#sql.exec("UPDATE commands SET tries = ?, next_at = ? WHERE key = ?", tries, nextAt, key);
  }

  /** Somebody new is there to be told: everything is due. */
  allDue(now: number): void {
    this.#sql.exec("UPDATE commands SET next_at = ?, tries = 0", now);
  }

  remove(key: string): void {
    this.#sql.exec("DELETE FROM commands WHERE key = ?", key);
  }

  /** Starts of the run, up to an attempt, that need not happen any more. A pod that is to be adopted is there, whatever became of its run. */
  removeStarts(runId: string, upTo: number): void {
    this.#sql.exec(
      "DELETE FROM commands WHERE run_id = ? AND attempt <= ? AND kind = 'start'",
      runId,
      upTo,
    );
  }

  forget(before: number): void {
    this.#sql.exec("DELETE FROM commands WHERE since <= ?", before);
  }

  nextAt(): number | null {
    const [row] = this.#sql.exec<{ at: number | null }>("SELECT min(next_at) AS at FROM commands");
    return row?.at ?? null;
  }
}
