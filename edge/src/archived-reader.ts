import { encodeMark, limits } from "@millrace/contracts";
import type { ArchivedLog } from "@millrace/durable-objects";
import { logError } from "./log.ts";

/**
 * A reader's socket for a log that lies in R2, with the run object's part played here: rows after the cursor as credit
 * allows, a mark if one is wanted, then a close with 1000. So whoever follows a run need not know where its log lies.
 */
export function openArchivedReader(log: ArchivedLog, after: number, marks: boolean): WebSocket {
  const { 0: client, 1: socket } = new WebSocketPair();
  socket.accept();
  void new ArchivedReader(log, socket, marks).sendFrom(after);
  return client;
}

class ArchivedReader {
  readonly #log: ArchivedLog;
  readonly #socket: WebSocket;
  readonly #marks: boolean;
  #inFlight = 0;
  #isClosed = false;
  #wake: (() => void) | null = null;

  constructor(log: ArchivedLog, socket: WebSocket, marks: boolean) {
    this.#log = log;
    this.#socket = socket;
    this.#marks = marks;
    socket.addEventListener("message", ({ data }) => {
      this.#inFlight = Math.max(0, this.#inFlight - Number(data));
      this.#wake?.();
    });
    for (const end of ["close", "error"] as const) {
      socket.addEventListener(end, () => {
        this.#isClosed = true;
        this.#wake?.();
      });
    }
  }

  async sendFrom(after: number): Promise<void> {
    try {
      await this.#send(after);
    } catch (error) {
      logError("archived log not read", { error });
      this.#socket.close(1011, "the log cannot be read");
    }
  }

  async #send(after: number): Promise<void> {
    let cursor = after;
    while (cursor < this.#log.manifest.tail) {
      if (!(await this.#hasCredit())) return this.#socket.close(1013, "stuck");
      const rows = await this.#log.rowsAfter(cursor);
      if (this.#isClosed) return;
      // It was pruned just now: the client comes back and is told so.
      if (rows === null) return this.#socket.close(1012, "the log has been pruned");
      this.#socket.send(rows.text);
      this.#inFlight += rows.text.length;
      cursor = rows.last;
    }
    if (this.#marks) this.#socket.send(encodeMark(cursor, true));
    this.#socket.close(1000, "end of log");
  }

  /** False: the client took nothing for too long. */
  async #hasCredit(): Promise<boolean> {
    const until = Date.now() + limits.readerStuckMs;
    while (this.#inFlight >= limits.readerCreditBytes && !this.#isClosed) {
      const leftMs = until - Date.now();
      if (leftMs <= 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return true;
  }
}
