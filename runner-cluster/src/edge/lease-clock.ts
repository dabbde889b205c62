/**
 * When the lease ends, on this process's monotonic clock. A grant counts from the moment at which the
 * message that it answers was sent: the platform cannot have started its own count before that, so
 * this side always gives up first. Nothing here waits: a process that was stopped and wakes up finds
 * its lease lost at the first question, before any timer has run.
 */
export class LeaseClock {
  #endsAt = Number.NEGATIVE_INFINITY;
  #marginMs = 0;

  /** Takes an answer to a message sent at `sentAt`. An answer that comes late never shortens the lease. */
  grant(sentAt: number, leaseMs: number): void {
    this.#endsAt = Math.max(this.#endsAt, sentAt + leaseMs);
    // Short leases are for tests; a margin of 5 s would leave them no time to work.
    this.#marginMs = Math.min(5_000, leaseMs / 6);
  }

  /** Nothing is held until the next grant. */
  drop(): void {
    this.#endsAt = Number.NEGATIVE_INFINITY;
  }

  holds(now: number): boolean {
    return now < this.#endsAt;
  }

  /** Is there enough left to begin a tool or a model call? */
  mayBegin(now: number): boolean {
    return now < this.#endsAt - this.#marginMs;
  }

  /** Milliseconds until the end, never negative. */
  leftMs(now: number): number {
    return Math.max(0, this.#endsAt - now);
  }
}
