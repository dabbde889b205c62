import { blobField, isEventType, type EventBlob, type EventType } from "./event.ts";

/**
 * How packed events travel from a run object to a reader at the edge, and how they lie in the log.
 *
 *     <first> SP <at> LF                one line per packed row: seq of its first event, its commit time in ms
 *     <type> TAB <data as JSON> LF      one line per event; JSON never holds a raw tab or line feed
 *     ... LF LF                         an empty line ends the row
 *
 * Text rather than one JSON array: a projector that needs only the type never parses the data, and
 * a row is sent as it lies on disk.
 */
export interface PackedRow {
  readonly first: number;
  readonly at: number;
  /** Event lines, each ended by LF. */
  readonly body: string;
}

/** One line of a packed row. Its data is JSON and lies in `rows` from `start` to `end`: most who look leave it there. */
export interface EncodedLine<Type extends string = string> {
  readonly seq: number;
  readonly at: number;
  readonly type: Type;
  readonly rows: string;
  readonly start: number;
  readonly end: number;
}

export type EncodedEvent = EncodedLine<EventType>;

/** The data of an encoded line, still as JSON. */
export function jsonOf({ rows, start, end }: EncodedLine): string {
  return rows.slice(start, end);
}

interface WrittenEvent {
  readonly type: EventType;
  readonly data: object;
  readonly blob?: EventBlob | undefined;
}

export function encodeEvent({ type, data, blob }: WrittenEvent): string {
  const written = blob === undefined ? data : { ...data, [blobField]: blob };
  return `${type}\t${JSON.stringify(written)}\n`;
}

export function encodeRow(row: PackedRow): string {
  return `${row.first} ${row.at}\n${row.body}\n`;
}

/** A line that is no event: the reader has everything. `closed`: nothing will follow. */
const markType = "mark";

/** What a reader that asks for marks gets when it has all events up to `seq`. */
export function encodeMark(seq: number, closed: boolean): string {
  return `${seq + 1} 0\n${markType}\t${String(closed)}\n\n`;
}

export interface LineVisitor {
  readonly line: (line: EncodedLine) => void;
  /** Every line before this is all there is. */
  readonly mark?: (closed: boolean) => void;
}

/** Calls for each line after `after`, whatever its type: not every log holds a run's events. */
export function forEachLine(text: string, after: number, { line, mark }: LineVisitor): void {
  forEachRow(text, after, {
    lookUp: (type) => type,
    visit: (found) => {
      if (found.type !== markType) return line(found);
      mark?.(text.startsWith("true", found.start));
    },
  });
}

/** Calls `visit` for each event after `after`. The text holds whole rows, as `encodeRow` made them. */
export function forEachEvent(
  text: string,
  after: number,
  visit: (event: EncodedEvent) => void,
): void {
  forEachRow(text, after, { lookUp: asEventType, visit });
}

/** A packed row as it lies in `text`: its lines from `start` to `end`, without the LF of the last one. */
export interface RowPlace {
  readonly first: number;
  readonly start: number;
  readonly end: number;
}

/** Calls for each packed row, marks included: for who takes lines all at once, as they lie. */
export function forEachRowPlace(text: string, visit: (row: RowPlace) => void): void {
  let from = 0;
  while (from < text.length) {
    const start = text.indexOf("\n", from) + 1;
    const end = text.indexOf("\n\n", start);
    visit({ first: Number.parseInt(text.slice(from, start), 10), start, end });
    from = end + 2;
  }
}

/** What a row's lines say when it is a mark: nothing follows; or not yet. Null: it is none. */
export function markIn(text: string, { start }: RowPlace): "closed" | "open" | null {
  if (!text.startsWith(`${markType}\t`, start)) return null;
  return text.startsWith("true", start + markType.length + 1) ? "closed" : "open";
}

interface Lines<Type extends string> {
  readonly lookUp: (type: string, seq: number) => Type;
  readonly visit: (line: EncodedLine<Type>) => void;
}

function forEachRow<Type extends string>(text: string, after: number, lines: Lines<Type>): void {
  let from = 0;
  while (from < text.length) {
    const headEnd = text.indexOf("\n", from);
    const [first = "", at = ""] = text.slice(from, headEnd).split(" ");
    from = visitRow(text, headEnd + 1, { seq: Number(first), at: Number(at), after }, lines);
  }
}

/** Visits the lines from `from` to the empty line that ends the row; answers where the next row starts. */
function visitRow<Type extends string>(
  text: string,
  from: number,
  row: { readonly seq: number; readonly at: number; readonly after: number },
  { lookUp, visit }: Lines<Type>,
): number {
  let seq = row.seq;
  let start = from;
  // Events of one type come in long runs: comparing is cheaper than cutting and looking up each type.
  let type: Type | undefined;
  let lead = "";
  for (;;) {
    const end = text.indexOf("\n", start);
    if (end === start || end === -1) return end === -1 ? text.length : end + 1;
    if (seq > row.after) {
      if (type === undefined || !text.startsWith(lead, start)) {
        type = lookUp(text.slice(start, text.indexOf("\t", start)), seq);
        lead = `${type}\t`;
      }
      visit({ seq, at: row.at, type, rows: text, start: start + lead.length, end });
    }
    seq += 1;
    start = end + 1;
  }
}

function asEventType(type: string, seq: number): EventType {
  if (!isEventType(type)) throw new Error(`log holds an unknown event type at seq ${seq}`);
  return type;
}
