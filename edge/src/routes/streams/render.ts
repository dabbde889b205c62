import { forEachLine } from "@millrace/contracts";
import { bytesOf, isJson, lineTypes } from "@millrace/durable-objects";
import type { LogPage, LogSource } from "./log-source.ts";

/** Messages on their way to a client. */
export interface Batch {
  /** Set for JSON logs: each message. */
  readonly items: readonly string[];
  /** Set for all others: each piece. */
  readonly pieces: readonly Uint8Array<ArrayBuffer>[];
  readonly isEmpty: boolean;
  /** Number of the last message; where the batch was to begin when there is none. */
  readonly last: number;
  /** The reader has everything there is now. */
  readonly isUpToDate: boolean;
  /** And nothing will follow. */
  readonly isClosed: boolean;
}

/** Takes what follows `after` out of packed rows. */
export function toBatch(rows: string, after: number, source: LogSource): Batch {
  const items: string[] = [];
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let last = after;
  let isUpToDate = false;
  let isClosed = false;
  forEachLine(rows, after, {
    line: (line) => {
      isUpToDate = false;
      last = line.seq;
      if (line.type === lineTypes.bytes) {
        pieces.push(bytesOf(line.rows.slice(line.start, line.end)));
      } else items.push(source.jsonOfLine(line));
    },
    mark: (closed) => {
      isUpToDate = true;
      isClosed = closed;
    },
  });
  const isEmpty = items.length + pieces.length === 0;
  return { items, pieces, isEmpty, last, isUpToDate, isClosed };
}

/** A batch as a response's body. */
export function bodyOf({ items, pieces }: Batch, contentType: string): string | Blob {
  return isJson(contentType) ? `[${items.join(",")}]` : new Blob([...pieces]);
}

/** Names a range of one log, and changes when the log is closed behind it. */
export function etagOf(page: LogPage, after: number, last: number): string {
  return `"${page.id}:${after}:${last}${page.closed && last >= page.tail ? ":c" : ""}"`;
}
