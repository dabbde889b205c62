import type { EncodedRow } from "./log-rows.ts";

/** The newest rows as readers get them, so that a live reader costs no query. Bounded by their size. */
export class RowRing {
  readonly #maxChars: number;
  #rows: EncodedRow[] = [];
  #start = 0;
  #chars = 0;

  constructor(maxChars: number) {
    this.#maxChars = maxChars;
  }

  push(row: EncodedRow): void {
    this.#rows.push(row);
    this.#chars += row.text.length;
    while (this.#chars > this.#maxChars && this.#start < this.#rows.length - 1) {
      this.#chars -= this.#rows[this.#start]?.text.length ?? 0;
      this.#start += 1;
    }
    // Dropped entries go all at once, so that a push stays cheap.
    if (this.#start > 1024 && this.#start * 2 > this.#rows.length) {
      this.#rows = this.#rows.slice(this.#start);
      this.#start = 0;
    }
  }

  /** The row that holds `seq`; undefined if it was dropped or never here. */
  find(seq: number): EncodedRow | undefined {
    let low = this.#start;
    let high = this.#rows.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const row = this.#rows[middle];
      if (row === undefined) return undefined;
      if (seq < row.first) high = middle - 1;
      else if (seq > row.last) low = middle + 1;
      else return row;
    }
    return undefined;
  }
}
