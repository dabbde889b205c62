import type { Outcome, RunnerEvent, Step } from "@millrace/contracts";

/** What one frame may carry beyond its steps; events that are appended meanwhile join the last unsent frame. */
const frameMaxEvents = 500;
const frameMaxBytes = 128 * 1024;

export interface OutboxBounds {
  /** Frames that may be on the way without an ack. */
  readonly windowFrames: number;
  /** Above this the engine is asked to wait. */
  readonly maxBytes: number;
}

const outboxBounds: OutboxBounds = { windowFrames: 256, maxBytes: 8 * 1024 * 1024 };

export interface Draft {
  readonly events: readonly RunnerEvent[];
  readonly step?: Step;
  /** Bodies that are still on their way to blob storage: `stored` for each, and nothing overtakes the frame. */
  readonly awaits?: readonly Awaited[];
  readonly outcome?: Outcome;
}

/** What a frame waits for, and how many bytes are held in memory for it. */
export interface Awaited {
  readonly bytes: number;
}

interface Entry {
  readonly producerSeq: number;
  /** Encoded one by one when appended, since the size must be known; emptied when the frame's text is made. */
  readonly events: string[];
  readonly steps: Step[];
  outcome: Outcome | undefined;
  bytes: number;
  sealed: boolean;
  readonly awaited: Set<Awaited>;
  text: string | undefined;
  sentAt: number | undefined;
}

/**
 * The attempt's frames from the moment an event is appended until it is acked. A frame keeps number
 * and content once it was sent, so that a resend is recognised as the same.
 */
export class Outbox {
  readonly #bounds: OutboxBounds;
  #entries: Entry[] = [];
  #unsentFrom = 0;
  #nextSeq = 1;
  #bytes = 0;

  constructor(bounds: OutboxBounds = outboxBounds) {
    this.#bounds = bounds;
  }

  get bytes(): number {
    return this.#bytes;
  }

  hasRoom(): boolean {
    return this.#bytes < this.#bounds.maxBytes;
  }

  /** Adds to the end; answers the number of the frame that carries it. */
  append(draft: Draft): number {
    const events = draft.events.map((event) => JSON.stringify(event));
    let bytes = draft.step ? draft.step.body.length : 0;
    for (const event of events) bytes += Buffer.byteLength(event);
    const entry = this.#entryFor(events.length, bytes);
    for (const event of events) entry.events.push(event);
    if (draft.step) entry.steps.push(draft.step);
    entry.outcome = draft.outcome;
    for (const awaited of draft.awaits ?? []) {
      entry.awaited.add(awaited);
      bytes += awaited.bytes;
    }
    entry.sealed = entry.steps.length > 0 || entry.awaited.size > 0 || draft.outcome !== undefined;
    entry.bytes += bytes;
    this.#bytes += bytes;
    return entry.producerSeq;
  }

  /** A body is where its frame says that it is; for a step the frame gets the pointer with it. */
  stored(producerSeq: number, awaited: Awaited, step?: Step): void {
    const entry = this.#entries.find((candidate) => candidate.producerSeq === producerSeq);
    if (!entry?.awaited.delete(awaited)) return;
    if (step) entry.steps.push(step);
    entry.bytes -= awaited.bytes;
    this.#bytes -= awaited.bytes;
  }

  /** The next frame to send as text, or undefined when all are sent, the window is full or one is not complete. */
  next(now: number): string | undefined {
    const entry = this.#entries[this.#unsentFrom];
    if (!entry || entry.awaited.size > 0 || this.#unsentFrom >= this.#bounds.windowFrames)
      return undefined;
    this.#unsentFrom += 1;
    entry.sealed = true;
    entry.sentAt = now;
    if (entry.text === undefined) {
      entry.text = encodeFrame(entry);
      entry.events.length = 0;
    }
    return entry.text;
  }

  /** Drops everything up to `producerSeq`; answers when the last of it was sent, if this took anything off. */
  acked(producerSeq: number): number | undefined {
    const count = this.#entries.findLastIndex((entry) => entry.producerSeq <= producerSeq) + 1;
    const gone = this.#entries.splice(0, count);
    for (const entry of gone) this.#bytes -= entry.bytes;
    this.#unsentFrom = Math.max(0, this.#unsentFrom - count);
    return gone.at(-1)?.sentAt;
  }

  /** A new connection: what was sent and not acked is sent again. */
  rewind(): void {
    this.#unsentFrom = 0;
  }

  /** Was the attempt's last frame on the wire at least once? */
  outcomeWasSent(): boolean {
    const last = this.#entries.at(-1);
    return last?.outcome !== undefined && last.sentAt !== undefined;
  }

  #entryFor(events: number, bytes: number): Entry {
    const last = this.#entries.at(-1);
    const joins =
      last !== undefined &&
      !last.sealed &&
      last.events.length + events <= frameMaxEvents &&
      last.bytes + bytes <= frameMaxBytes;
    if (joins) return last;
    const entry: Entry = {
      producerSeq: this.#nextSeq,
      events: [],
      steps: [],
      outcome: undefined,
      bytes: 0,
      sealed: false,
      awaited: new Set(),
      text: undefined,
      sentAt: undefined,
    };
    this.#nextSeq += 1;
    this.#entries.push(entry);
    return entry;
  }
}

function encodeFrame(entry: Entry): string {
  const steps = entry.steps.length === 0 ? "" : `,"steps":${JSON.stringify(entry.steps)}`;
  const outcome = entry.outcome ? `,"outcome":${JSON.stringify(entry.outcome)}` : "";
  const head = `{"type":"frame","producerSeq":${entry.producerSeq}`;
  return `${head},"events":[${entry.events.join(",")}]${steps}${outcome}}`;
}
