import { limits } from "@millrace/contracts";
import type { Frames } from "./projectors/v1/frames.ts";

/** Where the bridge reads from and what it makes of it. */
export interface ReaderSource {
  /** Opens a reader at a cursor; null when the object refuses. */
  readonly open: (after: number) => Promise<WebSocket | null>;
  readonly project: (rows: string, after: number) => Frames;
}

const encoder = new TextEncoder();
const keepAlive = encoder.encode(": keep-alive\n\n");

/** Consumed text is reported in portions: each report wakes the object. */
const reportEvery = limits.readerCreditBytes / 4;
const maxReopens = 6;
/** What the object closes a reader with that took nothing for `readerStuckMs`. */
const stuckCode = 1013;
const firstReopenDelayMs = 50;

/**
 * A client's event stream, fed by a reader's socket to the run object.
 *
 *     client <- ReadableStream <- rows waiting here <- WebSocket <- object
 *                  pull                        report of what was taken ->
 *
 * The client's demand pulls; what waits here is bounded by the credit that the object grants. The
 * heartbeat is the edge's, so that the object can sleep, and it is what makes the runtime notice that a
 * client has left.
 */
export function sseStream(
  source: ReaderSource,
  first: WebSocket,
  after: number,
): ReadableStream<Uint8Array> {
  const bridge = new SseBridge(source, first, after);
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => bridge.onStuck((reason) => controller.error(reason)),
      pull: async (controller) => {
        const chunk = await bridge.next();
        if (chunk !== null) return controller.enqueue(chunk);
        controller.close();
      },
      cancel: () => bridge.leave(),
    },
    { highWaterMark: 0 },
  );
}

/** The stream ends before the run does; the client sees a broken response and resumes by id. */
export class StreamInterrupted extends Error {
  override readonly name = "StreamInterrupted";
}

type Line =
  | { readonly kind: "open"; readonly socket: WebSocket }
  | { readonly kind: "ended" }
  | { readonly kind: "broken" };

class SseBridge {
  readonly #source: ReaderSource;
  #line: Line;
  #waiting: string[] = [];
  #cursor: number;
  #reopens = 0;
  #taken = 0;
  #handedOut = 0;
  #wake: (() => void) | undefined;
  #giveUp: ((reason: StreamInterrupted) => void) | undefined;

  constructor(source: ReaderSource, first: WebSocket, after: number) {
    this.#source = source;
    this.#cursor = after;
    this.#line = this.#listen(first);
  }

  /** The next bytes for the client, at the latest after one heartbeat; null when the run has ended. */
  async next(): Promise<Uint8Array | null> {
    this.#reportTaken();
    for (;;) {
      const frames = this.#takeWaiting();
      if (frames !== "") return encoder.encode(frames);
      switch (this.#line.kind) {
        case "ended":
          return null;
        case "broken":
          await this.#reopen();
          break;
        case "open":
          if (!(await this.#isWoken())) return keepAlive;
      }
    }
  }

  /** What to do when the object lost patience with a client that takes nothing. */
  onStuck(giveUp: (reason: StreamInterrupted) => void): void {
    this.#giveUp = giveUp;
  }

  /** The client is gone: so is its reader. */
  leave(): void {
    if (this.#line.kind === "open") this.#line.socket.close(1000);
    this.#line = { kind: "ended" };
    this.#waiting = [];
    this.#wake?.();
  }

  #listen(socket: WebSocket): Line {
    const line: Line = { kind: "open", socket };
    // A socket that was replaced may still have events under way.
    const isCurrent = () => this.#line === line;
    socket.addEventListener("message", ({ data }) => {
      if (!isCurrent() || typeof data !== "string") return;
      this.#waiting.push(data);
      this.#wake?.();
    });
    const end = (kind: "ended" | "broken") => {
      if (!isCurrent()) return;
      this.#line = { kind };
      this.#wake?.();
    };
    socket.addEventListener("close", ({ code }) => {
      if (isCurrent() && code === stuckCode) return this.#cutLoose();
      end(code === 1000 ? "ended" : "broken");
    });
    socket.addEventListener("error", () => end("broken"));
    socket.accept();
    return line;
  }

  #cutLoose(): void {
    this.leave();
    this.#giveUp?.(new StreamInterrupted("the client took nothing for too long"));
  }

  #takeWaiting(): string {
    if (this.#waiting.length === 0) return "";
    const rows = this.#waiting.join("");
    this.#waiting = [];
    this.#handedOut += rows.length;
    const frames = this.#source.project(rows, this.#cursor);
    this.#cursor = frames.last;
    if (frames.text !== "") this.#reopens = 0;
    return frames.text;
  }

  /** The stream asks for more only when the client has taken what it was given. */
  #reportTaken(): void {
    this.#taken += this.#handedOut;
    this.#handedOut = 0;
    if (this.#taken < reportEvery || this.#line.kind !== "open") return;
    this.#line.socket.send(String(this.#taken));
    this.#taken = 0;
  }

  /** True when the socket has something to say, false when a heartbeat is due first. */
  async #isWoken(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const heartbeat = setTimeout(() => resolve(false), limits.sseHeartbeatMs);
    this.#wake = () => resolve(true);
    try {
      return await promise;
    } finally {
      clearTimeout(heartbeat);
      this.#wake = undefined;
    }
  }

  async #reopen(): Promise<void> {
    if (this.#reopens === maxReopens) throw new StreamInterrupted("the run object does not answer");
    await scheduler.wait(firstReopenDelayMs * 2 ** this.#reopens);
    this.#reopens += 1;
    const socket = await this.#source.open(this.#cursor).catch(() => null);
    if (this.#line.kind !== "broken") return socket?.close(1000);
    if (socket === null) return;
    this.#taken = 0;
    this.#line = this.#listen(socket);
  }
}
