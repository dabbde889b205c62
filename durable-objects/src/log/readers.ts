import { encodeMark, limits } from "@millrace/contracts";
import { z } from "zod";
import { RowRing } from "./row-ring.ts";
import { pageOf, type EncodedRow, type LogRows } from "./log-rows.ts";

/** A reader is a cursor. Kept in the socket's attachment, so that it survives hibernation. */
const ReaderLink = z.object({
  kind: z.literal("reader"),
  /** Seq of the last event that was sent. */
  cursor: z.int(),
  /** Characters sent and not yet reported as consumed. */
  inFlight: z.int(),
  /** Since when it has rows to get and no credit; null when it keeps up. */
  stuckSince: z.int().nullable(),
  /** Wants to be told whenever it has everything. */
  marks: z.boolean().default(false),
});

interface Reader {
  readonly socket: WebSocket;
  cursor: number;
  inFlight: number;
  stuckSince: number | null;
  readonly marks: boolean;
  saved: boolean;
}

interface LogEnd {
  readonly seq: number;
  /** No event follows. */
  readonly over: boolean;
}

interface Parts {
  readonly store: Pick<LogRows, "rowsFrom">;
  readonly end: () => LogEnd;
  /** Called when a reader got stuck: `closeStuck` is to be called after `readerStuckMs`. */
  readonly onStuck: () => void;
}

export const readerTag = "reader";

const ringChars = 4 * 1024 * 1024;
/** Rows are sent together up to this size: fewer messages in a replay, and still small beside the credit. */
const messageChars = limits.readerCreditBytes / 2;
const saveDelayMs = 1_000;
const digits = /^\d{1,15}$/;

/**
 * Live streams of the log. Replay and live are one loop: while a reader has credit, send what follows its cursor, from
 * the ring or else from the store; nothing is queued for it.
 */
export class Readers {
  readonly #parts: Parts;
  readonly #ring = new RowRing(ringChars);
  readonly #readers = new Map<WebSocket, Reader>();
  #isSavePlanned = false;

  constructor(parts: Parts, sockets: readonly WebSocket[]) {
    this.#parts = parts;
    for (const socket of sockets) {
      const { kind: _, ...link } = ReaderLink.parse(socket.deserializeAttachment());
      this.#readers.set(socket, { socket, ...link, saved: true });
    }
  }

  get count(): number {
    return this.#readers.size;
  }

  /** `marks`: a mark follows whatever brings the reader to the log's end, and is the first it gets at the end. */
  accept(ctx: DurableObjectState, after: number, marks = false): Response {
    const { 0: client, 1: socket } = new WebSocketPair();
    ctx.acceptWebSocket(socket, [readerTag]);
    const reader: Reader = {
      socket,
      cursor: after,
      inFlight: 0,
      stuckSince: null,
      marks,
      saved: false,
    };
    this.#readers.set(socket, reader);
    save(reader);
    const end = this.#parts.end();
    if (marks && after >= end.seq && !end.over) socket.send(encodeMark(after, false));
    this.#pump(reader);
    return new Response(null, { status: 101, webSocket: client });
  }

  /** Also without rows, when the log has ended since. */
  publish(rows: readonly EncodedRow[]): void {
    for (const row of rows) this.#ring.push(row);
    for (const reader of this.#readers.values()) this.#pump(reader);
  }

  /** The reader's client has taken this many characters. */
  consumed(socket: WebSocket, text: string): void {
    const reader = this.#readers.get(socket);
    if (reader === undefined) return;
    if (!digits.test(text)) {
      this.#close(reader, 1008, "not a number");
      return;
    }
    reader.inFlight = Math.max(0, reader.inFlight - Number(text));
    this.#pump(reader);
  }

  closed(socket: WebSocket): void {
    this.#readers.delete(socket);
  }

  /** Nothing is left to read. */
  closeAll(code: number, reason: string): void {
    for (const reader of this.#readers.values()) this.#close(reader, code, reason);
  }

  /** Cuts loose who took nothing for too long; it resumes by id. True if others are stuck and may be next. */
  closeStuck(now: number): boolean {
    let more = false;
    for (const reader of this.#readers.values()) {
      if (reader.stuckSince === null) continue;
      if (now - reader.stuckSince >= limits.readerStuckMs) this.#close(reader, 1013, "stuck");
      else more = true;
    }
    return more;
  }

  #pump(reader: Reader): void {
    const end = this.#parts.end();
    try {
      while (reader.cursor < end.seq && reader.inFlight < limits.readerCreditBytes) {
        this.#sendFrom(reader, end);
      }
    } catch {
      // It is gone; what it holds of the log is its client's business.
      this.#readers.delete(reader.socket);
      return;
    }
    if (reader.cursor >= end.seq) {
      reader.stuckSince = null;
      if (end.over) this.#finish(reader);
      return;
    }
    if (reader.stuckSince === null) {
      reader.stuckSince = Date.now();
      this.#touch(reader);
      this.#parts.onStuck();
    }
  }

  #sendFrom(reader: Reader, end: LogEnd): void {
    const next = reader.cursor + 1;
    const { text, last } = this.#ring.find(next) ?? pageOf(this.#parts.store, next, messageChars);
    const isMarked = reader.marks && last >= end.seq && !end.over;
    reader.socket.send(isMarked ? text + encodeMark(last, false) : text);
    reader.cursor = last;
    reader.inFlight += text.length;
    reader.stuckSince = null;
    this.#touch(reader);
  }

  /**
   * Attachments matter only to hibernation, which cannot happen while a timer is pending: so they are written once things
   * are quiet, not at each send.
   */
  #touch(reader: Reader): void {
    reader.saved = false;
    if (this.#isSavePlanned) return;
    this.#isSavePlanned = true;
    setTimeout(() => this.#saveAll(), saveDelayMs);
  }

  #saveAll(): void {
    this.#isSavePlanned = false;
    for (const reader of this.#readers.values()) if (!reader.saved) save(reader);
  }

  /** Nothing follows what it has. */
  #finish(reader: Reader): void {
    if (reader.marks) reader.socket.send(encodeMark(reader.cursor, true));
    this.#close(reader, 1000, "end of log");
  }

  #close(reader: Reader, code: number, reason: string): void {
    this.#readers.delete(reader.socket);
    try {
      reader.socket.close(code, reason);
    } catch {
      // It was closed from the other side already.
    }
  }
}

function save(reader: Reader): void {
  const { cursor, inFlight, stuckSince, marks } = reader;
  reader.socket.serializeAttachment({ kind: "reader", cursor, inFlight, stuckSince, marks });
  reader.saved = true;
}
