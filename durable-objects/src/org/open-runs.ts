import type { Draw } from "./decide-draw.ts";
import { handfulMs } from "./org-rpc.ts";

/** What the registry has not heard of yet is not missing: a run reaches it within half a second. */
const youngMs = 2_000;
const askEveryMs = 1_000;
/** Of an org's runs, what one isolate holds at most. */
const shareOfMax = 100;

interface Given {
  readonly places: number;
  /** Until then they may not be in the registry yet. */
  readonly unknownUntil: number;
}

export interface RunDraw {
  readonly max: number;
  readonly handful: boolean;
  readonly now: number;
}

/**
 * The runs of an org that were accepted and are not over, as far as this object knows. Nobody tells it of an end: when
 * there seem to be too many, it asks the registry, which follows every run.
 */
export class OpenRuns {
  readonly #ask: (most: number) => Promise<number>;
  #known = 0;
  #given: Given[] = [];
  #open = 0;
  #askedAt = Number.NEGATIVE_INFINITY;

  /** `ask` answers how many runs are open, this many at most. */
  constructor(ask: (most: number) => Promise<number>) {
    this.#ask = ask;
  }

  /** Places for runs. Whoever was given a handful has `handfulMs` to use it. Nothing where it is full. */
  async draw({ max, handful, now }: RunDraw): Promise<Draw> {
    const isNew = this.#askedAt === Number.NEGATIVE_INFINITY;
    if (isNew || (this.#open >= max && now - this.#askedAt >= askEveryMs)) {
      await this.#refresh(max, now);
    }
    const free = max - this.#open;
    if (free <= 0) return { granted: 0, retryAfterMs: askEveryMs };
    // Where it gets tight every place counts: they are given one by one, and none lies idle in an isolate.
    const isHandful = handful && free > max / 2;
    const granted = isHandful ? Math.ceil(max / shareOfMax) : 1;
    const unknownUntil = now + youngMs + (granted > 1 ? handfulMs : 0);
    this.#given.push({ places: granted, unknownUntil });
    this.#open += granted;
    return { granted, retryAfterMs: 0 };
  }

  async #refresh(max: number, now: number): Promise<void> {
    this.#askedAt = now;
    try {
      this.#known = await this.#ask(max);
    } catch {
      // A registry that is away must not stop anybody's work: the count goes on as it is.
      return;
    }
    this.#given = this.#given.filter(({ unknownUntil }) => unknownUntil > now);
    this.#open = this.#given.reduce((sum, { places }) => sum + places, this.#known);
  }
}
