/** What the registry has not heard of yet is not missing: a run reaches it within half a second. */
const youngMs = 2_000;
const askEveryMs = 1_000;

/**
 * The runs of an org that were accepted and are not over, as far as this object knows. Nobody tells it of an end: when
 * there seem to be too many, it asks the registry, which follows every run.
 */
export class OpenRuns {
  readonly #ask: (most: number) => Promise<readonly string[]>;
  #admittedAt = new Map<string, number>();
  #askedAt = Number.NEGATIVE_INFINITY;

  /** `ask` answers ids of open runs, this many at most. */
  constructor(ask: (most: number) => Promise<readonly string[]>) {
    this.#ask = ask;
  }

  /** Whether there is room for one more; then it is counted. */
  async admit(runId: string, max: number, now: number): Promise<boolean> {
    const isNew = this.#askedAt === Number.NEGATIVE_INFINITY;
    if (isNew || (this.#admittedAt.size >= max && now - this.#askedAt >= askEveryMs)) {
      await this.#refresh(max, now);
    }
    if (this.#admittedAt.size >= max) return false;
    this.#admittedAt.set(runId, now);
    return true;
  }

  async #refresh(max: number, now: number): Promise<void> {
    this.#askedAt = now;
    let known: readonly string[];
    try {
      known = await this.#ask(max);
    } catch {
      // A registry that is away must not stop anybody's work: the count goes on as it is.
      return;
    }
    const next = new Map(known.map((runId) => [runId, this.#admittedAt.get(runId) ?? 0]));
    for (const [runId, at] of this.#admittedAt) if (now - at < youngMs) next.set(runId, at);
    this.#admittedAt = next;
  }
}
