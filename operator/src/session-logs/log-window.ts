/** What a log begins with says how its process was started; what it ends with, how it ended. */
const headShare = 1 / 8;
type Piece = Buffer<ArrayBuffer>;

/** For the line that stands in the gap. */
const markBytes = 64;

/**
 * The beginning and the end of a text that may be long, in bounded memory. `maxBytes` is asked at each piece: it may
 * shrink while others need room.
 */
export class LogWindow {
  readonly #maxBytes: () => number;
  readonly #head: Piece[] = [];
  readonly #tail: Piece[] = [];
  #headBytes = 0;
  #tailBytes = 0;
  #leftOut = 0;
  #isHeadFull = false;

  constructor(maxBytes: () => number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that were written, those that were left out among them. */
  get written(): number {
    return this.#headBytes + this.#tailBytes + this.#leftOut;
  }

  push(text: string): void {
    if (text === "") return;
    const piece = Buffer.from(text, "utf8");
    const max = this.#maxBytes();
    if (!this.#isHeadFull && this.#headBytes + piece.length <= max * headShare) {
      this.#head.push(piece);
      this.#headBytes += piece.length;
      return;
    }
    this.#isHeadFull = true;
    this.#tail.push(piece);
    this.#tailBytes += piece.length;
    this.#shrink(max - markBytes - this.#headBytes);
  }

  /** The text; where something is left out, a line of its own says how much. */
  bytes(): Piece {
    if (this.#leftOut === 0) return Buffer.concat([...this.#head, ...this.#tail]);
    const tail = Buffer.concat(this.#tail);
    // From a line's beginning: neither half a line nor half a character.
    const lineEnd = tail.indexOf("\n");
    const from = lineEnd < 0 ? 0 : lineEnd + 1;
    const mark = `\n[${this.#leftOut + from} bytes are left out here]\n`;
    return Buffer.concat([...this.#head, Buffer.from(mark), tail.subarray(from)]);
  }

  #shrink(maxTailBytes: number): void {
    let over = this.#tailBytes - Math.max(0, maxTailBytes);
    while (over > 0) {
      const first = this.#tail[0];
      if (!first) return;
      const cut = Math.min(over, first.length);
      if (cut === first.length) this.#tail.shift();
      // A copy: a slice would keep the whole alive.
      else this.#tail[0] = Buffer.from(first.subarray(cut));
      this.#tailBytes -= cut;
      this.#leftOut += cut;
      over -= cut;
    }
  }
}
