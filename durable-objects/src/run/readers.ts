import { encodeRow, limits } from "@millrace/contracts";
import { z } from "zod";
import { RowRing } from "./row-ring.ts";
import type { EncodedRow } from "./run-record.ts";
import type { RunStore } from "./store.ts";

/** A reader is a cursor. Kept in the socket's attachment, so that it survives hibernation. */
const ReaderLink = z.object({
  kind: z.literal("reader"),
  /** Seq of the last event that was sent. */
  cursor: z.int(),
  /** Characters sent and not yet reported as consumed. */
  inFlight: z.int(),
  /** Since when it has rows to get and no credit; null when it keeps up. */
  stuckSince: z.int().nullable(),
});

interface Reader {
  readonly socket: WebSocket;
  cursor: number;
  inFlight: number;
  stuckSince: number | null;
  saved: boolean;
}

interface LogEnd {
  readonly seq: number;
  /** No event follows. */
  readonly over: boolean;
}

interface Parts {
  readonly store: Pick<RunStore, "rowsFrom">;
  readonly end: () => LogEnd;
  /** Called when a reader got stuck: `closeStuck` is to be called after `readerStuckMs`. */
  readonly onStuck: () => void;
}

export const readerTag = "reader";

const ringChars = 4 * 1024 * 1024;
/** Rows are sent together up to this size: fewer messages in a replay, and still small beside the credit. */
const messageChars = 64 * 1024;
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
      const { cursor, inFlight, stuckSince } = ReaderLink.parse(socket.deserializeAttachment());
      this.#readers.set(socket, { socket, cursor, inFlight, stuckSince, saved: true });
    }
  }

  accept(ctx: DurableObjectState, after: number): Response {
    const { 0: client, 1: socket } = new WebSocketPair();
    ctx.acceptWebSocket(socket, [readerTag]);
    const reader: Reader = { socket, cursor: after, inFlight: 0, stuckSince: null, saved: false };
    this.#readers.set(socket, reader);
    save(reader);
    this.#pump(reader);
    return new Response(null, { status: 101, webSocket: client });
  }

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
        this.#sendFrom(reader);
      }
    } catch {
      // It is gone; what it holds of the log is its client's business.
      this.#readers.delete(reader.socket);
      return;
    }
    if (reader.cursor >= end.seq) {
      reader.stuckSince = null;
      if (end.over) this.#close(reader, 1000, "end of log");
      return;
    }
    if (reader.stuckSince === null) {
      reader.stuckSince = Date.now();
      this.#touch(reader);
      this.#parts.onStuck();
    }
  }

  #sendFrom(reader: Reader): void {
    const live = this.#ring.find(reader.cursor + 1);
    const { text, last } = live ?? this.#page(reader.cursor + 1);
    reader.socket.send(text);
    reader.cursor = last;
    reader.inFlight += text.length;
    reader.stuckSince = null;
    this.#touch(reader);
  }

  #page(seq: number): { readonly text: string; readonly last: number } {
    let text = "";
    let last = seq;
    for (const row of this.#parts.store.rowsFrom(seq)) {
      text += encodeRow(row);
      last = row.first + row.n - 1;
      if (text.length >= messageChars) break;
    }
    return { text, last };
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
  const { cursor, inFlight, stuckSince } = reader;
  reader.socket.serializeAttachment({ kind: "reader", cursor, inFlight, stuckSince });
  reader.saved = true;
}
