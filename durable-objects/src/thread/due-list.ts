import { decideRetry } from "./decide-retry.ts";
import type { DueItem, DueKind } from "./state.ts";

type DueRow = {
  readonly kind: DueKind;
  readonly subject: string;
  readonly at: number;
  readonly tries: number;
};

/** What the thread owes, and when. The thread's one alarm stands at the earliest. */
export class DueList {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;
  /** Where the alarm is known to stand; null after a restart, when it is set anew. */
  #alarmAt: number | null = null;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#sql = storage.sql;
  }

  /** A wish for something that is owed already takes the new time and a fresh count. */
  add(kind: DueKind, subject: string, at: number): void {
    this.#sql.exec(
      `INSERT INTO due (kind, subject, at, tries) VALUES (?, ?, ?, 0)
       ON CONFLICT (kind, subject) DO UPDATE SET at = excluded.at, tries = 0`,
      kind,
      subject,
      at,
    );
  }

  /** Done, and confirmed. */
  settle(kind: DueKind, subject: string): void {
    this.#sql.exec("DELETE FROM due WHERE kind = ? AND subject = ?", kind, subject);
  }

  /** Whether the run has still to be told of its spec or its release. */
  owesStart(runId: string): boolean {
    const rows = this.#sql.exec(
      "SELECT 1 FROM due WHERE kind IN ('init', 'release') AND subject = ?",
      runId,
    );
    return rows.toArray().length > 0;
  }

  /** What is due now. Each is put off to its next try first, so that dying in this one loses nothing. */
  take(now: number): readonly DueItem[] {
    return this.#storage.transactionSync(() => {
      const items = this.#sql
        .exec<DueRow>("SELECT kind, subject, at, tries FROM due WHERE at <= ?", now)
        .toArray();
      for (const { kind, subject, tries } of items) {
        this.#sql.exec(
          "UPDATE due SET at = ?, tries = ? WHERE kind = ? AND subject = ?",
          decideRetry(tries, now),
          tries + 1,
          kind,
          subject,
        );
      }
      return items;
    });
  }

  /** Call in the same turn as `add`, so that row and alarm commit together. An early alarm is left: it finds nothing. */
  async arm(): Promise<void> {
    const { at } = this.#sql.exec<{ at: number | null }>("SELECT min(at) AS at FROM due").one();
    if (at === null || (this.#alarmAt !== null && this.#alarmAt <= at)) return;
    this.#alarmAt = at;
    await this.#storage.setAlarm(at);
  }

  /** The alarm has gone off and stands nowhere. */
  alarmFired(): void {
    this.#alarmAt = null;
  }
}
