import { encodeRow, limits, type PackedRow } from "@millrace/contracts";

export interface LogRow extends PackedRow {
  readonly n: number;
}

/** A row as readers get it. */
export interface EncodedRow {
  readonly first: number;
  readonly last: number;
  readonly text: string;
}

/** The last event's number and time; zeros for an empty log. */
export interface Tail {
  readonly seq: number;
  readonly at: number;
}

/** A statement is kept for its next use only if its rows were read to the end: so they are asked for in portions of about this size. */
const portionChars = 128 * 1024;
const portionRows = 256;

/** The SQL of a log, which every object that holds one keeps in a table of this shape (migrations/src/run.ts, stream.ts). */
export class LogRows {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  tail(): Tail {
    const [row] = this.#sql.exec<{ seq: number; at: number }>(
      "SELECT first + n - 1 AS seq, at FROM log ORDER BY first DESC LIMIT 1",
    );
    return row ?? { seq: 0, at: 0 };
  }

  insertRow(row: LogRow, attempt: number): void {
    this.#sql.exec(
      "INSERT INTO log (first, n, at, attempt, body) VALUES (?, ?, ?, ?, ?)",
      row.first,
      row.n,
      row.at,
      attempt,
      row.body,
    );
  }

  /** Rows in order, from the one that holds `seq`. A cursor: stop when you have enough. */
  *rowsFrom(seq: number): Generator<LogRow> {
    let next = this.#startOf(seq);
    let limit = 1;
    for (;;) {
      const rows = this.#portion(next, limit);
      yield* rows;
      const last = rows.at(-1);
      if (last === undefined || rows.length < limit) return;
      next = last.first + last.n;
      // Neighbours are alike: those that come are taken to be as long as the last one was.
      limit = Math.max(1, Math.min(portionRows, Math.floor(portionChars / last.body.length)));
    }
  }

  /** First event of the row that holds `seq`; beyond the end, of the last row. */
  #startOf(seq: number): number {
    const found = this.#sql.exec<{ start: number | null }>(
      "SELECT max(first) AS start FROM log WHERE first <= ?",
      seq,
    );
    return found.one().start ?? 0;
  }

  #portion(first: number, limit: number): LogRow[] {
    const rows = this.#sql.exec<{ first: number; n: number; at: number; body: string }>(
      "SELECT first, n, at, body FROM log WHERE first >= ? ORDER BY first LIMIT ?",
      first,
      limit,
    );
    return rows.toArray();
  }
}

export function encodeLogRow(row: LogRow): EncodedRow {
  return { first: row.first, last: row.first + row.n - 1, text: encodeRow(row) };
}

export interface RowsPage {
  readonly text: string;
  /** Seq of the last event in `text`; what was asked for less one when there is none. */
  readonly last: number;
}

/** Whole rows from the one that holds `seq`, as text, until there are `chars` of them. */
export function pageOf(rows: Pick<LogRows, "rowsFrom">, seq: number, chars: number): RowsPage {
  let text = "";
  let last = seq - 1;
  for (const row of rows.rowsFrom(seq)) {
    text += encodeRow(row);
    last = Math.max(last, row.first + row.n - 1);
    if (text.length >= chars) break;
  }
  return { text, last };
}

/** Lines as the log stores them: rows of at most 256 KB, unless one line is larger. */
export function packRows(
  lines: readonly string[],
  { first, at }: { readonly first: number; readonly at: number },
): LogRow[] {
  const rows: LogRow[] = [];
  let body = "";
  let n = 0;
  let next = first;
  for (const line of lines) {
    if (n > 0 && body.length + line.length > limits.inlineBodyMaxBytes) {
      rows.push({ first: next, n, at, body });
      next += n;
      body = "";
      n = 0;
    }
    body += line;
    n += 1;
  }
  if (n > 0) rows.push({ first: next, n, at, body });
  return rows;
}
