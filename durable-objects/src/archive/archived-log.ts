import { earliestOf, type LogManifest, type LogPart } from "./log-manifest.ts";

/** Read from R2 in one request, about. */
const readBytes = 1024 * 1024;

export interface ArchivedRows {
  /** Whole packed rows, as the object would give them. */
  readonly text: string;
  /** Seq of the last event in `text`. */
  readonly last: number;
}

/** A log that lies in R2. Reading it wakes no object. */
export class ArchivedLog {
  readonly manifest: LogManifest;
  readonly #bucket: Pick<R2Bucket, "get">;
  readonly #prefix: string;

  /** `prefix`: see `logPrefix`. */
  constructor(bucket: Pick<R2Bucket, "get">, prefix: string, manifest: LogManifest) {
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.manifest = manifest;
  }

  get earliest(): number {
    return earliestOf(this.manifest);
  }

  /** What follows an event, up to about a megabyte, from the row that holds it. Null: it is not there any more. */
  async rowsAfter(after: number): Promise<ArchivedRows | null> {
    const seq = after + 1;
    const part = this.manifest.parts.find(({ first, last }) => first <= seq && seq <= last);
    if (part === undefined) return null;
    const { offset, end, last } = rangeOf(part, seq);
    const range = { offset, length: end - offset };
    const object = await this.#bucket.get(this.#prefix + part.sha256, { range });
    return object === null ? null : { text: dropRowsBefore(await object.text(), seq), last };
  }

  /** The snapshot of the run at its end, as JSON; null: it is not there. */
  async snapshot(): Promise<string | null> {
    const object = await this.#bucket.get(this.#prefix + this.manifest.snapshotSha256);
    return object === null ? null : object.text();
  }
}

/** A block begins where it begins, and a reader at the object gets the row that holds what it asked for. */
function dropRowsBefore(text: string, seq: number): string {
  let start = 0;
  for (;;) {
    const next = nextRow(text, start);
    if (next === text.length || Number.parseInt(text.slice(next, next + 16), 10) > seq) break;
    start = next;
  }
  return text.slice(start);
}

/** Rows until there are `chars` of them, as a page of the object's would end. */
export function rowsUpTo(text: string, chars: number): string {
  let end = 0;
  while (end < chars && end < text.length) end = nextRow(text, end);
  return text.slice(0, end);
}

/** An empty line ends a row, and there is none within. */
function nextRow(text: string, from: number): number {
  const end = text.indexOf("\n\n", from);
  return end === -1 ? text.length : end + 2;
}

/** Whole blocks, from the one that holds `seq`. */
function rangeOf(part: LogPart, seq: number) {
  const from = part.blocks.findLastIndex(({ first }) => first <= seq);
  const offset = part.blocks[from]?.offset ?? 0;
  const next = part.blocks.slice(from + 1).find((block) => block.offset - offset >= readBytes);
  if (next === undefined) return { offset, end: part.size, last: part.last };
  return { offset, end: next.offset, last: next.first - 1 };
}
