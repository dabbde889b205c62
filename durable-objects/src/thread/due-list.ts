import { threadTables } from "@millrace/migrations";
import { and, eq, lte, min } from "drizzle-orm";
import { drizzle } from "drizzle-orm/durable-sqlite";
import type { DrizzleSqliteDODatabase } from "drizzle-orm/durable-sqlite";
import { decideRetry } from "./decide-retry.ts";
import type { DueItem, DueKind } from "./state.ts";

const { due } = threadTables;

/** What the thread owes, and when. The thread's one alarm stands at the earliest. */
export class DueList {
  readonly #storage: DurableObjectStorage;
  readonly #db: DrizzleSqliteDODatabase;
  /** Where the alarm is known to stand; null after a restart, when it is set anew. */
  #alarmAt: number | null = null;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#db = drizzle(storage);
  }

  /** A wish for something that is owed already takes the new time and a fresh count. */
  add(kind: DueKind, subject: string, at: number): void {
    this.#db
      .insert(due)
      .values({ kind, subject, at })
      .onConflictDoUpdate({ target: [due.kind, due.subject], set: { at, tries: 0 } })
      .run();
  }

  /** Done, and confirmed. */
  settle(kind: DueKind, subject: string): void {
    this.#db.delete(due).where(only(kind, subject)).run();
  }

  owes(kind: DueKind, subject: string): boolean {
    return this.#db.select().from(due).where(only(kind, subject)).get() !== undefined;
  }

  /** What is due now. Each is put off to its next try first, so that dying in this one loses nothing. */
  take(now: number): readonly DueItem[] {
    return this.#storage.transactionSync(() => {
      const items = this.#db.select().from(due).where(lte(due.at, now)).all();
      for (const { kind, subject, tries } of items) {
        const next = { at: decideRetry(tries, now), tries: tries + 1 };
        this.#db.update(due).set(next).where(only(kind, subject)).run();
      }
      return items;
    });
  }

  /** Call in the same turn as `add`, so that row and alarm commit together. An early alarm is left: it finds nothing. */
  async arm(): Promise<void> {
    const at =
      this.#db
        .select({ at: min(due.at) })
        .from(due)
        .get()?.at ?? null;
    if (at === null || (this.#alarmAt !== null && this.#alarmAt <= at)) return;
    this.#alarmAt = at;
    await this.#storage.setAlarm(at);
  }

  /** The alarm has gone off and stands nowhere. */
  alarmFired(): void {
    this.#alarmAt = null;
  }
}

function only(kind: DueKind, subject: string) {
  return and(eq(due.kind, kind), eq(due.subject, subject));
}
