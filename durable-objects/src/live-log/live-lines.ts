import type { LogRow } from "../log/log-rows.ts";

/** For readers that come later, or are slow: older lines are theirs to miss. */
const maxChars = 1024 * 1024;

/** The newest lines of a log, by their ids, which have holes. */
export class LiveLines {
  #rows: LogRow[] = [];
  #chars = 0;
  /** The newest line that was here and is not any more. */
  #droppedTo = 0;
  #last = 0;

  get last(): number {
    return this.#last;
  }

  /** An id that is known already was sent before a connection broke. */
  push(lines: readonly (readonly [number, string])[], now: number): void {
    for (const [id, text] of lines) {
      if (id <= this.#last) continue;
      const body = `log\t${JSON.stringify(text)}\n`;
      this.#rows.push({ first: id, n: 1, at: now, body });
      this.#chars += body.length;
      this.#last = id;
    }
    this.#drop();
  }

  /** Rows in order, from the first that holds `id` or a later one; a gap first, when there were some that are gone. */
  *rowsFrom(id: number): Generator<LogRow> {
    let low = 0;
    let high = this.#rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#rows[middle]?.first ?? 0) < id) low = middle + 1;
      else high = middle;
    }
    if (id <= this.#droppedTo) yield { first: this.#droppedTo, n: 1, at: 0, body: "gap\tnull\n" };
    for (let at = low; at < this.#rows.length; at += 1) {
      const row = this.#rows[at];
      if (row) yield row;
    }
  }

  /** Nobody reads any more. */
  clear(): void {
    this.#rows = [];
    this.#chars = 0;
    this.#droppedTo = 0;
    this.#last = 0;
  }

  /** Half at a time, so that a push stays cheap. */
  #drop(): void {
    if (this.#chars <= maxChars) return;
    let count = 0;
    while (this.#chars > maxChars / 2 && count < this.#rows.length - 1) {
      this.#chars -= this.#rows[count]?.body.length ?? 0;
      this.#droppedTo = this.#rows[count]?.first ?? this.#droppedTo;
      count += 1;
    }
    this.#rows = this.#rows.slice(count);
  }
}
