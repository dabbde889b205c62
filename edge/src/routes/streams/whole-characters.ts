/**
 * Decodes UTF-8 that comes in pieces: a character may lie across two of them, and what there is of it waits for the next.
 */
export class WholeCharacters {
  readonly #decoder = new TextDecoder();
  #rest: Uint8Array = new Uint8Array();

  /** Nothing of a character waits for its end. */
  get isWhole(): boolean {
    return this.#rest.byteLength === 0;
  }

  take(pieces: readonly Uint8Array[], isLast: boolean): string {
    const bytes = joined([this.#rest, ...pieces]);
    const end = isLast ? bytes.byteLength : endOfWhole(bytes);
    this.#rest = bytes.slice(end);
    return this.#decoder.decode(bytes.subarray(0, end), { stream: !isLast });
  }
}

export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}

/** Where the last character begins if its end is missing; else the end. */
function endOfWhole(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.byteLength; back += 1) {
    const at = bytes.byteLength - back;
    const byte = bytes[at] ?? 0;
    const isFirst = (byte & 0xc0) !== 0x80;
    if (isFirst) return lengthOfCharacter(byte) > back ? at : bytes.byteLength;
  }
  return bytes.byteLength;
}

/** By its first byte (RFC 3629, section 3). */
function lengthOfCharacter(first: number): number {
  if (first >= 0xf0) return 4;
  if (first >= 0xe0) return 3;
  return first >= 0xc0 ? 2 : 1;
}
