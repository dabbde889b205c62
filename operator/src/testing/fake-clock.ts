import type { Clock } from "../kube/clock.ts";

interface Timer {
  readonly at: number;
  readonly fire: () => void;
}

/** A clock that stands still until a test moves it. Both of its hands go together unless one is set. */
export class FakeClock implements Clock {
  #monotonic = 0;
  #wallOffset = Date.UTC(2026, 0, 1);
  readonly #timers = new Set<Timer>();

  readonly now = (): number => this.#monotonic + this.#wallOffset;
  readonly monotonic = (): number => this.#monotonic;

  readonly schedule = (delayMs: number, fire: () => void): (() => void) => {
    const timer = { at: this.#monotonic + Math.max(delayMs, 0), fire };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  get timers(): number {
    return this.#timers.size;
  }

  /** Fires what is due on the way, in order, and lets everything that follows from it happen. */
  async advance(ms: number): Promise<void> {
    const until = this.#monotonic + ms;
    await settle();
    for (let next = this.#next(until); next; next = this.#next(until)) {
      this.#monotonic = Math.max(this.#monotonic, next.at);
      this.#timers.delete(next);
      next.fire();
      await settle();
    }
    this.#monotonic = until;
    await settle();
  }

  /** As after SIGSTOP and SIGCONT: time has passed, and no timer has fired yet. */
  freeze(ms: number): void {
    this.#monotonic += ms;
  }

  /** Somebody sets the wall clock. */
  shiftWall(ms: number): void {
    this.#wallOffset += ms;
  }

  #next(until: number): Timer | undefined {
    const due = [...this.#timers].filter((timer) => timer.at <= until);
    return due.toSorted((a, b) => a.at - b.at)[0];
  }
}

/** Everything that needs no timer of the clock has happened. */
export const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};
