import type { Interest, StreamEnd } from "./subscriptions-rpc.ts";

/** Sorts after everything that goes on with the same characters. */
const last = "\u{10FFFF}";

/** Which streams there are, and which subscriptions follow them. */
export class LinkStore {
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
  }

  /** Names of streams that begin with a text. */
  names(prefix: string): readonly string[] {
    const rows = this.#sql.exec<{ name: string }>(
      "SELECT name FROM stream WHERE name >= ? AND name < ?",
      prefix,
      prefix + last,
    );
    return rows.toArray().map(({ name }) => name);
  }

  streamId(name: string): string | null {
    const [row] = this.#sql.exec<{ id: string }>("SELECT id FROM stream WHERE name = ?", name);
    return row?.id ?? null;
  }

  /** An end that is behind the known one was overtaken on its way. */
  saveStream({ name, streamId, tail }: StreamEnd): void {
    this.#sql.exec(
      "INSERT INTO stream (name, id, tail) VALUES (?, ?, ?)" +
        " ON CONFLICT (name) DO UPDATE SET tail = max(tail, excluded.tail)",
      name,
      streamId,
      tail,
    );
  }

  /** A deleted stream leaves every subscription. */
  forget(name: string): void {
    this.#sql.exec("DELETE FROM stream WHERE name = ?", name);
    this.#sql.exec("DELETE FROM link WHERE name = ?", name);
  }

  /** `acked` null: the stream has to be asked where it ends. A link that is there keeps its place. */
  add(
    subscription: string,
    name: string,
    link: { readonly kind: "explicit" | "glob"; readonly acked: number | null },
  ): void {
    const isExplicit = link.kind === "explicit" ? 1 : 0;
    this.#sql.exec(
      "INSERT INTO link (subscription, name, explicit, glob, acked) VALUES (?, ?, ?, ?, ?)" +
        " ON CONFLICT (subscription, name) DO UPDATE SET" +
        " explicit = max(explicit, excluded.explicit), glob = max(glob, excluded.glob)",
      subscription,
      name,
      isExplicit,
      1 - isExplicit,
      link.acked,
    );
  }

  removeExplicit(subscription: string, name: string): void {
    const of = [subscription, name];
    this.#sql.exec("UPDATE link SET explicit = 0 WHERE subscription = ? AND name = ?", ...of);
    this.#sql.exec("DELETE FROM link WHERE subscription = ? AND name = ? AND glob = 0", ...of);
  }

  explicitCount(subscription: string): number {
    return this.#sql
      .exec<{ n: number }>(
        "SELECT count(*) AS n FROM link WHERE subscription = ? AND explicit = 1",
        subscription,
      )
      .one().n;
  }

  followers(name: string): readonly string[] {
    const rows = this.#sql.exec<{ subscription: string }>(
      "SELECT subscription FROM link WHERE name = ?",
      name,
    );
    return rows.toArray().map(({ subscription }) => subscription);
  }

  /** Streams that have not said yet where they end, each with one who wants to know. */
  unasked(most: number): readonly { readonly name: string; readonly subscription: string }[] {
    return this.#sql
      .exec<{ name: string; subscription: string }>(
        "SELECT name, min(subscription) AS subscription FROM link WHERE acked IS NULL" +
          " GROUP BY name LIMIT ?",
        most,
      )
      .toArray();
  }

  /** Whoever began to follow the stream does so from here. */
  answered(name: string, tail: number): void {
    this.#sql.exec("UPDATE link SET acked = ? WHERE name = ? AND acked IS NULL", tail, name);
  }

  /** Later than every interest before. */
  newMark(): number {
    return this.#sql
      .exec<{ mark: number }>(
        "INSERT INTO document (name, body) VALUES ('links', '1')" +
          " ON CONFLICT (name) DO UPDATE SET body = CAST(body AS INTEGER) + 1" +
          " RETURNING CAST(body AS INTEGER) AS mark",
      )
      .one().mark;
  }

  interest(name: string): Interest {
    const [row] = this.#sql.exec<{ mark: number }>(
      "SELECT CAST(body AS INTEGER) AS mark FROM document WHERE name = 'links'",
    );
    return { isFollowed: this.followers(name).length > 0, mark: row?.mark ?? 0 };
  }
}
