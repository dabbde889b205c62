import { RunSpec, type RunInput, type Step } from "@millrace/contracts";
import { LogManifest } from "../archive/log-manifest.ts";
import { LogRows, type Tail } from "../log/log-rows.ts";
import type { ProducerPosition } from "./decide-append.ts";
import type { DueItem, DueKey } from "./decide-due.ts";
import { Release } from "./release.ts";
import { RunState } from "./state.ts";

export interface StoredStep extends Step {
  readonly attempt: number;
  readonly seq: number;
}

export interface StoredInput extends RunInput {
  readonly key: string;
  readonly fingerprint: string;
}

export interface OpenUpload {
  readonly id: string;
  readonly key: string;
  readonly attempt: number;
}

type DocumentName = "spec" | "release" | "state" | "log_manifest";

/** The only SQL of the run object; the tables stand in migrations/src/run.ts. */
export class RunStore extends LogRows {
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

  /** Resolves when what was written before is on disk. */
  synced(): Promise<void> {
    return this.#storage.sync();
  }

  /** Whether this object has ever been given its tables. */
  exists(): boolean {
    const tables = this.#sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'document'");
    return tables.toArray().length > 0;
  }

  loadSpec(): RunSpec | null {
    const body = this.#document("spec");
    return body === null ? null : RunSpec.parse(body);
  }

  loadRelease(): Release | null {
    const body = this.#document("release");
    return body === null ? null : Release.parse(body);
  }

  loadState(): RunState | null {
    const body = this.#document("state");
    return body === null ? null : RunState.parse(body);
  }

  /** Set when the log has moved to R2. */
  loadLogManifest(): LogManifest | null {
    const body = this.#document("log_manifest");
    return body === null ? null : LogManifest.parse(body);
  }

  /** Of the log, wherever it lies. */
  override tail(): Tail {
    const tail = super.tail();
    const manifest = tail.seq === 0 ? this.loadLogManifest() : null;
    return manifest === null ? tail : { seq: manifest.tail, at: manifest.at };
  }

  /** The log and its checkpoints, which a run that is over needs no more. */
  deleteLog(): void {
    this.#sql.exec("DELETE FROM log");
    this.#sql.exec("DELETE FROM step");
    // That they were said is still known, so that nobody says it again.
    this.#sql.exec("UPDATE input SET content = NULL");
  }

  save(name: "log_manifest", body: LogManifest): void;
  save(name: "spec", body: RunSpec): void;
  save(name: "release", body: Release): void;
  save(name: "state", body: RunState): void;
  save(name: DocumentName, body: unknown): void {
    this.#sql.exec(
      "INSERT INTO document (name, body) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body",
      name,
      JSON.stringify(body),
    );
  }

  #document(name: DocumentName): unknown {
    const [row] = this.#sql.exec<{ body: string }>(
      "SELECT body FROM document WHERE name = ?",
      name,
    );
    return row === undefined ? null : JSON.parse(row.body);
  }

  position(): ProducerPosition {
    const [row] = this.#sql.exec<{ epoch: number; next: number }>(
      "SELECT epoch, next FROM producer WHERE id = 'runner'",
    );
    return row ?? { epoch: 0, next: 1 };
  }

  savePosition({ epoch, next }: ProducerPosition): void {
    this.#sql.exec(
      "INSERT INTO producer (id, epoch, next) VALUES ('runner', ?, ?)" +
        " ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, next = excluded.next",
      epoch,
      next,
    );
  }

  insertStep({ attempt, n, seq, body }: StoredStep): void {
    this.#sql.exec(
      "INSERT INTO step (attempt, n, seq, body) VALUES (?, ?, ?, ?)",
      attempt,
      n,
      seq,
      body,
    );
  }

  insertInput({ n, key, fingerprint, content }: StoredInput): void {
    this.#sql.exec(
      "INSERT INTO input (n, key, fingerprint, content) VALUES (?, ?, ?, ?)",
      n,
      key,
      fingerprint,
      content,
    );
  }

  inputByKey(key: string): { readonly n: number; readonly fingerprint: string } | null {
    const [row] = this.#sql.exec<{ n: number; fingerprint: string }>(
      "SELECT n, fingerprint FROM input WHERE key = ?",
      key,
    );
    return row ?? null;
  }

  inputsAfter(n: number): RunInput[] {
    const rows = this.#sql.exec("SELECT n, content FROM input WHERE n > ? ORDER BY n", n);
    return rows.toArray() as unknown as RunInput[];
  }

  stepCount(): number {
    return this.#sql.exec<{ count: number }>("SELECT count(*) AS count FROM step").one().count;
  }

  *steps(): Generator<Step> {
    yield* this.#sql.exec<{ n: number; body: string }>("SELECT n, body FROM step ORDER BY id");
  }

  /** Seq of the last event that a checkpoint step covers; 0 for none. */
  checkpointSeq(): number {
    const [row] = this.#sql.exec<{ seq: number }>("SELECT seq FROM step ORDER BY id DESC LIMIT 1");
    return row?.seq ?? 0;
  }

  due(what: DueKey): DueItem | null {
    const [row] = this.#dueItems("WHERE what = ?", what);
    return row ?? null;
  }

  dueBy(now: number): DueItem[] {
    return this.#dueItems("WHERE at <= ? ORDER BY at", now);
  }

  #dueItems(where: string, ...values: (string | number)[]): DueItem[] {
    const rows = this.#sql.exec(`SELECT what, at, tries, mark FROM due ${where}`, ...values);
    return rows.toArray() as unknown as DueItem[];
  }

  /** The webhook events that are owed. */
  dueWebhooks(): DueItem[] {
    return this.#dueItems("WHERE what LIKE 'webhook:%' ORDER BY at");
  }

  nextDue(): number | null {
    return this.#sql.exec<{ at: number | null }>("SELECT min(at) AS at FROM due").one().at;
  }

  saveDue({ what, at, tries, mark }: DueItem): void {
    this.#sql.exec(
      "INSERT INTO due (what, at, tries, mark) VALUES (?, ?, ?, ?)" +
        " ON CONFLICT (what) DO UPDATE SET at = excluded.at, tries = excluded.tries, mark = excluded.mark",
      what,
      at,
      tries,
      mark,
    );
  }

  deleteDue(what: DueKey): void {
    this.#sql.exec("DELETE FROM due WHERE what = ?", what);
  }

  /** An effect happened; a newer wish under the same key stays. */
  confirmDue({ what, mark }: DueItem): void {
    this.#sql.exec("DELETE FROM due WHERE what = ? AND mark = ?", what, mark);
  }

  uploads(): OpenUpload[] {
    const rows = this.#sql.exec("SELECT id, key, attempt FROM upload");
    return rows.toArray() as unknown as OpenUpload[];
  }

  saveUpload({ id, key, attempt }: OpenUpload): void {
    this.#sql.exec(
      "INSERT OR REPLACE INTO upload (id, key, attempt) VALUES (?, ?, ?)",
      id,
      key,
      attempt,
    );
  }

  deleteUpload(id: string): void {
    this.#sql.exec("DELETE FROM upload WHERE id = ?", id);
  }
}
