import { LogRows } from "../log/log-rows.ts";
import type { ProducerRecord } from "./decide-producer.ts";
import { Standing } from "./standing.ts";
import { StreamState, type ProducerTry } from "./state.ts";
import type { StreamAddress } from "./stream-rpc.ts";

/** The only SQL of a stream, beside the log's own; the tables stand in migrations/src/stream.ts. */
export class StreamStore extends LogRows {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    super(storage.sql);
    this.#storage = storage;
    this.#sql = storage.sql;
  }

  transaction(write: () => void): void {
    this.#storage.transactionSync(write);
  }

  /** What the stream takes of the object's storage, its producers included, in bytes. */
  size(): number {
    return this.#sql.databaseSize;
  }

  /** Whether this object has ever been given its tables. */
  exists(): boolean {
    const tables = this.#sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'document'");
    return tables.toArray().length > 0;
  }

  load(): { readonly address: StreamAddress; readonly state: StreamState } | null {
    const [row] = this.#sql.exec<{ body: string }>(
      "SELECT body FROM document WHERE name = 'stream'",
    );
    if (row === undefined) return null;
    const { address, state } = JSON.parse(row.body) as { address: StreamAddress; state: unknown };
    return { address, state: StreamState.parse(state) };
  }

  save(address: StreamAddress, state: StreamState): void {
    this.#sql.exec(
      "INSERT INTO document (name, body) VALUES ('stream', ?)" +
        " ON CONFLICT (name) DO UPDATE SET body = excluded.body",
      JSON.stringify({ address, state }),
    );
  }

  /** Stays when the stream is cleared away. */
  standing(): Standing | null {
    const [row] = this.#sql.exec<{ body: string }>(
      "SELECT body FROM document WHERE name = 'standing'",
    );
    return row === undefined ? null : Standing.parse(JSON.parse(row.body));
  }

  saveStanding(standing: Standing | null): void {
    if (standing === null) this.#sql.exec("DELETE FROM document WHERE name = 'standing'");
    else {
      this.#sql.exec(
        "INSERT INTO document (name, body) VALUES ('standing', ?)" +
          " ON CONFLICT (name) DO UPDATE SET body = excluded.body",
        JSON.stringify(standing),
      );
    }
  }

  producer(id: string): ProducerRecord | null {
    const [row] = this.#sql.exec<{ epoch: number; last: number }>(
      "SELECT epoch, last FROM producer WHERE id = ?",
      id,
    );
    return row ?? null;
  }

  saveProducer({ id, epoch, seq }: ProducerTry): void {
    this.#sql.exec(
      "INSERT INTO producer (id, epoch, last) VALUES (?, ?, ?)" +
        " ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, last = excluded.last",
      id,
      epoch,
      seq,
    );
  }

  addFork(name: string): void {
    this.#sql.exec("INSERT OR IGNORE INTO fork (name) VALUES (?)", name);
  }

  removeFork(name: string): void {
    this.#sql.exec("DELETE FROM fork WHERE name = ?", name);
  }

  forks(): readonly string[] {
    const rows = this.#sql.exec<{ name: string }>("SELECT name FROM fork").toArray();
    return rows.map(({ name }) => name);
  }

  /** What a creation left that died before its end. */
  clear(): void {
    for (const table of ["log", "producer", "fork"]) this.#sql.exec(`DELETE FROM ${table}`);
    this.#sql.exec("DELETE FROM document WHERE name = 'stream'");
  }
}
