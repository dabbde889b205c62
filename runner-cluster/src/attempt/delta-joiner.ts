import type { AttemptEvent } from "./attempt.ts";

const joinBounds = { maxMs: 25, maxChars: 1024 } as const;

/**
 * Joins neighbouring pieces of one message (or of one command's output), so that a model that streams
 * letters does not write a row for each. The first piece after a pause passes at once: joining costs
 * a reader nothing until pieces come faster than one per 25 ms. Order is never changed.
 */
export class DeltaJoiner {
  #held: Piece | undefined;
  #lastPassedAt = Number.NEGATIVE_INFINITY;

  /** Takes the next event; answers the events that are due now, in order. */
  push(event: AttemptEvent, now: number): readonly AttemptEvent[] {
    const joined = this.#held && join(this.#held, event);
    if (joined) {
      this.#held = joined;
      return this.#isDue(now) ? this.take(now) : [];
    }
    const before = this.take(now);
    if (!isPiece(event)) return [...before, event];
    this.#held = event;
    // Right after another piece was passed this one waits, whatever message it belongs to.
    return before.length === 0 && this.#isDue(now) ? this.take(now) : before;
  }

  /** What is held, now: its time is up or something must not wait behind it. */
  take(now: number): readonly AttemptEvent[] {
    if (!this.#held) return [];
    const event = this.#held;
    this.#held = undefined;
    this.#lastPassedAt = now;
    return [event];
  }

  /** Milliseconds until what is held must be taken; undefined when nothing is held. */
  dueInMs(now: number): number | undefined {
    if (!this.#held) return undefined;
    return Math.max(0, this.#lastPassedAt + joinBounds.maxMs - now);
  }

  #isDue(now: number): boolean {
    return now - this.#lastPassedAt >= joinBounds.maxMs;
  }
}

type Piece = Extract<AttemptEvent, { type: "text.delta" | "reasoning.delta" | "tool.output" }>;

/** A preview says less than its event: nothing can be joined to it. */
function isPiece(event: AttemptEvent): event is Piece {
  if (event.whole !== undefined || event.blob !== undefined) return false;
  return ["text.delta", "reasoning.delta", "tool.output"].includes(event.type);
}

/** Pieces with the same source say one thing after the other. */
function sourceOf(piece: Piece): string {
  if (piece.type !== "tool.output") return `${piece.type} ${piece.data.messageId}`;
  return `${piece.type} ${piece.data.stream} ${piece.data.callId}`;
}

function textOf(piece: Piece): string {
  return piece.type === "tool.output" ? piece.data.chunk : piece.data.text;
}

function withText(piece: Piece, text: string): Piece {
  if (piece.type !== "tool.output") return { ...piece, data: { ...piece.data, text } };
  return { ...piece, data: { ...piece.data, chunk: text } };
}

/** One event that says what both say, or undefined when they do not belong together or would be too long. */
function join(held: Piece, next: AttemptEvent): Piece | undefined {
  if (!isPiece(next) || sourceOf(held) !== sourceOf(next)) return undefined;
  const text = textOf(held) + textOf(next);
  return text.length > joinBounds.maxChars ? undefined : withText(held, text);
}
