import { limits } from "@millrace/contracts";
import { dueAt } from "./decide-wake.ts";
import { SubscriptionState } from "./state.ts";
import type { FollowedStream, SigningKey } from "./subscriptions-rpc.ts";

type Followed = {
  readonly name: string;
  readonly explicit: number;
  readonly acked: number;
  readonly tail: number;
};

const followed = "link.name AS name, link.explicit AS explicit, coalesce(link.acked, 0) AS acked";
const linked = "FROM link LEFT JOIN stream ON stream.name = link.name WHERE link.subscription = ?";
const isPending = "link.acked IS NOT NULL AND coalesce(stream.tail, 0) > link.acked";

/** Subscriptions and their links; the tables stand in migrations/src/subscriptions.ts. Writes of one turn commit together. */
export class SubscriptionStore {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#sql = storage.sql;
  }

  transaction<Result>(write: () => Result): Result {
    return this.#storage.transactionSync(write);
  }

  find(id: string): SubscriptionState | null {
    const [row] = this.#sql.exec<{ body: string }>(
      "SELECT body FROM subscription WHERE id = ?",
      id,
    );
    return row === undefined ? null : SubscriptionState.parse(JSON.parse(row.body));
  }

  all(): readonly SubscriptionState[] {
    const rows = this.#sql.exec<{ body: string }>("SELECT body FROM subscription").toArray();
    return rows.map(({ body }) => SubscriptionState.parse(JSON.parse(body)));
  }

  count(): number {
    return this.#sql.exec<{ n: number }>("SELECT count(*) AS n FROM subscription").one().n;
  }

  save(state: SubscriptionState): void {
    this.#sql.exec(
      "INSERT INTO subscription (id, body, due_at) VALUES (?, ?, ?)" +
        " ON CONFLICT (id) DO UPDATE SET body = excluded.body, due_at = excluded.due_at",
      state.id,
      JSON.stringify(state),
      dueAt(state),
    );
  }

  remove(id: string): void {
    this.#sql.exec("DELETE FROM subscription WHERE id = ?", id);
    this.#sql.exec("DELETE FROM link WHERE subscription = ?", id);
  }

  due(now: number): readonly string[] {
    const rows = this.#sql.exec<{ id: string }>(
      "SELECT id FROM subscription WHERE due_at <= ? ORDER BY due_at",
      now,
    );
    return rows.toArray().map(({ id }) => id);
  }

  nextDue(): number | null {
    return this.#sql.exec<{ at: number | null }>("SELECT min(due_at) AS at FROM subscription").one()
      .at;
  }

  /** Those with something to read first. */
  streams(id: string): readonly FollowedStream[] {
    const rows = this.#sql.exec<Followed>(
      `SELECT ${followed}, coalesce(stream.tail, 0) AS tail ${linked}
       ORDER BY ${isPending} DESC, link.name LIMIT ?`,
      id,
      limits.subscriptionStreamsShown,
    );
    return rows.toArray().map(toFollowed);
  }

  firstPending(id: string): string | null {
    const [row] = this.#sql.exec<{ name: string }>(
      `SELECT link.name AS name ${linked} AND ${isPending} LIMIT 1`,
      id,
    );
    return row?.name ?? null;
  }

  /** Null: it does not follow that stream. */
  stream(id: string, name: string): FollowedStream | null {
    const [row] = this.#sql.exec<Followed>(
      `SELECT ${followed}, coalesce(stream.tail, 0) AS tail ${linked} AND link.name = ?`,
      id,
      name,
    );
    return row === undefined ? null : toFollowed(row);
  }

  acknowledge(id: string, name: string, seq: number): void {
    this.#sql.exec("UPDATE link SET acked = ? WHERE subscription = ? AND name = ?", seq, id, name);
  }

  /** Writes down what a new wake is about: it does not change any more, however often the wake is told. */
  makeSnapshot(id: string): void {
    this.#sql.exec("UPDATE link SET told = NULL WHERE subscription = ?", id);
    this.#sql.exec(
      `UPDATE link SET told = coalesce((SELECT tail FROM stream WHERE stream.name = link.name), 0)
       WHERE subscription = ? AND name IN
         (SELECT link.name ${linked} ORDER BY ${isPending} DESC, link.name LIMIT ?)`,
      id,
      id,
      limits.subscriptionStreamsShown,
    );
  }

  snapshot(id: string): readonly FollowedStream[] {
    const rows = this.#sql.exec<Followed>(
      `SELECT ${followed}, link.told AS tail ${linked} AND link.told IS NOT NULL
       ORDER BY link.told > coalesce(link.acked, 0) DESC, link.name`,
      id,
    );
    return rows.toArray().map(toFollowed);
  }

  acknowledgeSnapshot(id: string): void {
    this.#sql.exec(
      "UPDATE link SET acked = told WHERE subscription = ? AND told > coalesce(acked, 0)",
      id,
    );
  }

  signingKey(): SigningKey | null {
    const [row] = this.#sql.exec<{ body: string }>("SELECT body FROM document WHERE name = 'key'");
    return row === undefined ? null : (JSON.parse(row.body) as SigningKey);
  }

  saveSigningKey(key: SigningKey): void {
    this.#sql.exec("INSERT INTO document (name, body) VALUES ('key', ?)", JSON.stringify(key));
  }
}

function toFollowed({ name, explicit, acked, tail }: Followed): FollowedStream {
  return { name, isExplicit: explicit === 1, acked, tail };
}
