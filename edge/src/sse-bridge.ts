import { limits } from "@millrace/contracts";
import type { Frames } from "./projectors/v1/frames.ts";

/** Where the bridge reads from and what it makes of it. */
export interface ReaderSource {
  /** Opens a reader at a cursor; null when the object refuses. */
  readonly open: (after: number) => Promise<WebSocket | null>;
  readonly project: (rows: string, after: number) => Frames;
  /** Said last, when nothing follows. */
  readonly ending?: string;
  /** The client has got everything, or is gone. */
  readonly left?: () => void;
  /** This long after its first frame the stream ends, between two frames, and the client goes on in another; unset: with the log. */
  readonly lifetimeMs?: number;
}

const encoder = new TextEncoder();
const keepAlive = encoder.encode(": keep-alive\n\n");

/** Consumed text is reported in portions: each report wakes the object. */
const reportEvery = limits.readerCreditBytes / 2;
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
      start: (controller) => bridge.start(controller),
      pull: () => bridge.pull(),
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
  /** No row follows those that wait here. */
  | { readonly kind: "ended" }
  | { readonly kind: "broken" }
  | { readonly kind: "reopening" }
  /** Nothing more is said to the client. */
  | { readonly kind: "over" };

class SseBridge {
  readonly #source: ReaderSource;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #line: Line;
  #waiting: string[] = [];
  #cursor: number;
  #reopens = 0;
  #taken = 0;
  #handedOut = 0;
  /** The client has taken everything and asks for more. */
  #isHungry = false;
  #fedAt = Date.now();
  #heartbeat: number | null = null;
  #lifetime: number | null = null;
  #isOld = false;
  #isWhole = true;

  constructor(source: ReaderSource, first: WebSocket, after: number) {
    this.#source = source;
    this.#cursor = after;
    this.#line = this.#listen(first);
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller;
    this.#beatIn(limits.sseHeartbeatMs);
  }

  /** The stream asks for more only when the client has taken what it was given. */
  pull(): void {
    this.#reportTaken();
    this.#isHungry = true;
    this.#feed();
  }

  /** The client is gone: so is its reader. */
  leave(): void {
    this.#source.left?.();
    if (this.#line.kind === "open") this.#line.socket.close(1000);
    this.#line = { kind: "over" };
    this.#waiting = [];
    clearTimeout(this.#heartbeat);
    clearTimeout(this.#lifetime);
  }

  // Called from every event that may have something for a hungry client, so that no promise stands between a
  // message of the object and its write to the client: with many readers that is half of what a frame costs.
  #feed(): void {
    if (!this.#isHungry) return;
    if (this.#isOld && this.#isWhole) return this.#end();
    try {
      const frames = this.#takeWaiting();
      if (frames !== "") {
        this.#growOld();
        return this.#give(encoder.encode(frames));
      }
    } catch (error) {
      return this.#fail(error);
    }
    if (this.#line.kind === "broken") void this.#reopen();
    if (this.#line.kind === "ended") this.#end();
  }

  #end(): void {
    const { ending } = this.#source;
    if (ending !== undefined) this.#controller?.enqueue(encoder.encode(ending));
    this.leave();
    this.#controller?.close();
  }

  #give(chunk: Uint8Array): void {
    this.#isHungry = false;
    this.#fedAt = Date.now();
    this.#controller?.enqueue(chunk);
  }

  #fail(reason: unknown): void {
    this.leave();
    this.#controller?.error(reason);
  }

  #listen(socket: WebSocket): Line {
    const line: Line = { kind: "open", socket };
    // A socket that was replaced may still have events under way.
    const isCurrent = () => this.#line === line;
    socket.addEventListener("message", ({ data }) => {
      if (!isCurrent() || typeof data !== "string") return;
      this.#waiting.push(data);
      this.#feed();
    });
    const end = (kind: "ended" | "broken") => {
      if (!isCurrent()) return;
      this.#line = { kind };
      this.#feed();
    };
    socket.addEventListener("close", ({ code }) => {
      if (!isCurrent() || code !== stuckCode) return end(code === 1000 ? "ended" : "broken");
      this.#fail(new StreamInterrupted("the client took nothing for too long"));
    });
    socket.addEventListener("error", () => end("broken"));
    socket.accept();
    return line;
  }

  #takeWaiting(): string {
    if (this.#waiting.length === 0) return "";
    const rows = this.#waiting.join("");
    this.#waiting = [];
    this.#handedOut += rows.length;
    const frames = this.#source.project(rows, this.#cursor);
    this.#cursor = frames.last;
    this.#isWhole = frames.isWhole ?? true;
    if (frames.text !== "") this.#reopens = 0;
    return frames.text;
  }

  #reportTaken(): void {
    this.#taken += this.#handedOut;
    this.#handedOut = 0;
    if (this.#taken < reportEvery || this.#line.kind !== "open") return;
    this.#line.socket.send(String(this.#taken));
    this.#taken = 0;
  }

  /** One timer, which waits again when a frame came meanwhile: to arm one for each frame costs more than the frame. */
  #beatIn(ms: number): void {
    this.#heartbeat = setTimeout(() => {
      const silentMs = Date.now() - this.#fedAt;
      const isDue = silentMs >= limits.sseHeartbeatMs;
      if (isDue && this.#isHungry) this.#give(keepAlive);
      if (this.#line.kind === "over") return;
      this.#beatIn(isDue ? limits.sseHeartbeatMs : limits.sseHeartbeatMs - silentMs);
    }, ms);
  }

  /** Counted from the first frame: every response takes its reader further, however long that one takes. */
  #growOld(): void {
    const { lifetimeMs } = this.#source;
    if (lifetimeMs === undefined || this.#lifetime !== null) return;
    this.#lifetime = setTimeout(() => {
      this.#isOld = true;
      this.#feed();
    }, lifetimeMs);
  }

  async #reopen(): Promise<void> {
    this.#line = { kind: "reopening" };
    if (this.#reopens === maxReopens) {
      return this.#fail(new StreamInterrupted("the run object does not answer"));
    }
    await scheduler.wait(firstReopenDelayMs * 2 ** this.#reopens);
    this.#reopens += 1;
    const socket = await this.#source.open(this.#cursor).catch(() => null);
    if (this.#line.kind !== "reopening") return socket?.close(1000);
    this.#taken = 0;
    this.#line = socket === null ? { kind: "broken" } : this.#listen(socket);
    this.#feed();
  }
}
