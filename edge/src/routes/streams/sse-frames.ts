import { isJson, toBase64 } from "@millrace/durable-objects";
import type { Frames } from "../../projectors/v1/frames.ts";
import type { LogSource } from "./log-source.ts";
import { cursorAfter, offsetAfter } from "./protocol.ts";
import type { Batch } from "./render.ts";
import { joined, WholeCharacters } from "./whole-characters.ts";

/** Does a log of this type travel as base64? Only text and JSON fit into server-sent events as they are. */
export function isEncoded(contentType: string): boolean {
  return !isJson(contentType) && !contentType.toLowerCase().startsWith("text/");
}

/** Makes frames of rows: one `data` event with all messages at hand, and always a `control` event after it. */
export function framesOf(
  source: LogSource,
  contentType: string,
  cursor: string | undefined,
): (rows: string, after: number) => Frames {
  const encoder = encoderOf(contentType);
  return (rows, after) => {
    const batch = source.batchOf(rows, after);
    if (batch.isEmpty && !batch.isUpToDate) return { text: "", last: batch.last };
    const data = batch.isEmpty ? "" : `event: data\n${encoder.dataOf(batch)}\n`;
    const text = data + control(batch, cursor);
    return { text, last: batch.last, isWhole: encoder.isWhole() };
  };
}

interface Encoder {
  /** The event's `data` fields. */
  readonly dataOf: (batch: Batch) => string;
  readonly isWhole: () => boolean;
}

const always = () => true;

function encoderOf(contentType: string): Encoder {
  // Neither JSON nor base64 holds a line's end.
  if (isJson(contentType)) return { dataOf: ({ json }) => `data:${json}\n`, isWhole: always };
  if (isEncoded(contentType)) {
    return { dataOf: ({ pieces }) => `data:${toBase64(joined(pieces))}\n`, isWhole: always };
  }
  const characters = new WholeCharacters();
  return {
    dataOf: ({ pieces, isClosed }) => dataLines(characters.take(pieces, isClosed)),
    isWhole: () => characters.isWhole,
  };
}

/**
 * Every kind of line end would end the field: none gets through inside of it. A parser takes one space away,
 * so a line that starts with one is given another.
 */
function dataLines(text: string): string {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => `data:${line.startsWith(" ") ? " " : ""}${line}\n`)
    .join("");
}

function control(batch: Batch, cursor: string | undefined): string {
  const facts = {
    streamNextOffset: offsetAfter(batch.last),
    ...(!batch.isClosed && { streamCursor: cursorAfter(cursor, Date.now()) }),
    ...(batch.isUpToDate && { upToDate: true }),
    ...(batch.isClosed && { streamClosed: true }),
  };
  return `event: control\ndata:${JSON.stringify(facts)}\n\n`;
}
