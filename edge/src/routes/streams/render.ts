import { isJson } from "@millrace/durable-objects";
import type { LogPage } from "./log-source.ts";

/** Messages on their way to a client. */
export interface Batch {
  /** Set for JSON logs: an array of the messages. */
  readonly json: string;
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

/** An array of what is JSON already: items, or several of them with commas between. */
export function jsonArray(items: readonly string[]): string {
  return `[${items.join(",")}]`;
}

/** A batch as a response's body. */
export function bodyOf({ json, pieces }: Batch, contentType: string): string | Blob {
  return isJson(contentType) ? json : new Blob([...pieces]);
}

/** Names a range of one log, and changes when the log is closed behind it. */
export function etagOf(page: LogPage, after: number, last: number): string {
  return `"${page.id}:${after}:${last}${page.closed && last >= page.tail ? ":c" : ""}"`;
}
