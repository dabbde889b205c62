import type { Redactor } from "@millrace/contracts";

const blockBegins = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;
const blockEnds = /-----END [A-Z ]*PRIVATE KEY-----/;
/** A key has fewer; what is longer was no key, and must not hold the log back for ever. */
const maxBlockLines = 200;

/** Takes secrets out of whole lines. A private key spans several: they become one, when its end is here. */
export class LineRedactor {
  readonly #redactor: Redactor;
  #block: string[] = [];

  constructor(redactor: Redactor) {
    this.#redactor = redactor;
  }

  /** Undefined: the line is held back. */
  push(line: string): string | undefined {
    if (this.#block.length === 0 && !blockBegins.test(line)) return this.#redactor.text(line);
    this.#block.push(line);
    const isWhole = blockEnds.test(line);
    if (!isWhole && this.#block.length < maxBlockLines) return undefined;
    const block = this.#block.join("\n");
    this.#block = [];
    return isWhole ? this.#redactor.text(block) : "[redacted]";
  }

  /** What is left at the log's end: a key without an end is still one. */
  end(): string | undefined {
    return this.#block.length === 0 ? undefined : "[redacted]";
  }
}
