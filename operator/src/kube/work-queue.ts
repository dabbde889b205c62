import { type BackoffOptions, backoffMs } from "./backoff.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type RateLimit, TokenBucket } from "./token-bucket.ts";

/** Told what happens in a queue; metrics hang on it. */
export interface QueueObserver {
  /** Keys that wait for a worker. */
  readonly depth: (keys: number) => void;
  /** From "ready" to "taken". */
  readonly waited: (ms: number) => void;
  readonly retried: () => void;
}

export interface WorkQueueOptions {
  readonly clock?: Clock;
  /** Between the failures of one key. */
  readonly backoff?: BackoffOptions;
  /** Of all retries together: a broken API server is not hammered by every key. */
  readonly retryRate?: RateLimit;
  readonly random?: () => number;
  readonly observer?: QueueObserver;
}

export type Work = (key: string, signal: AbortSignal) => Promise<void>;

/** A wall clock may jump: long waits look at it again at least this often. */
const longestNapMs = 60_000;

/**
 * Keys to be worked on. A key is in the hands of at most one worker; added while it is, it comes
 * again afterwards; added twice while waiting, it comes once. So the queue never holds more than
 * one entry (and one timer) per key, however many events arrive.
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #options: WorkQueueOptions;
  readonly #retryTurns: TokenBucket;
  /** Ready keys, oldest first, with the monotonic time since when. */
  readonly #ready = new Map<string, number>();
  readonly #working = new Set<string>();
  /** Added while in a worker's hands. */
  readonly #again = new Set<string>();
  readonly #timers = new Map<string, { readonly at: number; readonly cancel: () => void }>();
  readonly #failures = new Map<string, number>();
  /** When the turn comes that a key was promised for its retry. */
  readonly #turns = new Map<string, number>();
  readonly #idle: (() => void)[] = [];

  constructor(options: WorkQueueOptions = {}) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#retryTurns = new TokenBucket(
      options.retryRate ?? { perSecond: 20, burst: 100 },
      this.#clock,
    );
  }

  /** Keys that wait for a worker now; not those that wait for their time. */
  get depth(): number {
    return this.#ready.size;
  }

  /** As soon as a worker is free. A wait of the key is over with it. */
  add(key: string): void {
    this.#cancelTimer(key);
    if (this.#working.has(key)) {
      this.#again.add(key);
      return;
    }
    if (this.#ready.has(key)) return;
    this.#ready.set(key, this.#clock.monotonic());
    this.#options.observer?.depth(this.#ready.size);
    this.#idle.shift()?.();
  }

  /** At this wall-clock time (Unix ms) and not before. Of two times the earlier one counts. */
  addAt(key: string, at: number): void {
    const known = this.#timers.get(key);
    if (this.#ready.has(key) || (known && known.at <= at)) return;
    this.#cancelTimer(key);
    const wait = at - this.#clock.now();
    if (wait <= 0) {
      this.add(key);
      return;
    }
    const cancel = this.#clock.schedule(Math.min(wait, longestNapMs), () => {
      this.#timers.delete(key);
      this.addAt(key, at);
    });
    this.#timers.set(key, { at, cancel });
  }

  addAfter(key: string, delayMs: number): void {
    this.addAt(key, this.#clock.now() + delayMs);
  }

  /** After a failure: with the key's backoff, not before `atLeastMs`. Returns the wait in ms. */
  retry(key: string, atLeastMs = 0): number {
    const failures = this.failuresOf(key) + 1;
    this.#failures.set(key, failures);
    const backoff = this.#options.backoff ?? { firstMs: 50, longestMs: 5 * 60_000 };
    const own = backoffMs(backoff, failures, this.#options.random);
    const wait = Math.max(own, this.#turnOf(key), atLeastMs);
    this.#options.observer?.retried();
    this.addAfter(key, wait);
    return wait;
  }

  /** After a success: the next failure starts from the shortest backoff again. */
  forget(key: string): void {
    this.#failures.delete(key);
    if ((this.#turns.get(key) ?? 0) <= this.#clock.monotonic()) this.#turns.delete(key);
  }

  /** One that is woken and fails again keeps its turn: else somebody who wakes it all the time would take those of all others. */
  #turnOf(key: string): number {
    const now = this.#clock.monotonic();
    const promised = this.#turns.get(key) ?? 0;
    if (promised > now) return promised - now;
    const wait = this.#retryTurns.reserve();
    if (wait > 0) this.#turns.set(key, now + wait);
    else this.#turns.delete(key);
    return wait;
  }

  failuresOf(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /**
   * Works with `workers` at a time until the signal aborts, then waits for what is in hand.
   * What waits stays: the queue can be run again. `work` must not reject.
   */
  async run(workers: number, work: Work, signal: AbortSignal): Promise<void> {
    const wakeAll = (): void => {
      for (const wake of this.#idle.splice(0)) wake();
    };
    signal.addEventListener("abort", wakeAll, { once: true });
    try {
      await Promise.all(Array.from({ length: workers }, () => this.#work(work, signal)));
    } finally {
      signal.removeEventListener("abort", wakeAll);
    }
  }

  /** Ends all waits. For the end of the process or of a test. */
  clear(): void {
    for (const key of this.#timers.keys()) this.#cancelTimer(key);
    this.#ready.clear();
    this.#again.clear();
    this.#failures.clear();
    this.#turns.clear();
  }

  async #work(work: Work, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const key = this.#take();
      if (key === undefined) {
        await new Promise<void>((resolve) => this.#idle.push(resolve));
        continue;
      }
      try {
        await work(key, signal);
      } finally {
        this.#working.delete(key);
        if (this.#again.delete(key)) this.add(key);
      }
    }
  }

  #take(): string | undefined {
    const [first] = this.#ready;
    if (!first) return undefined;
    const [key, since] = first;
    this.#ready.delete(key);
    this.#working.add(key);
    this.#options.observer?.depth(this.#ready.size);
    this.#options.observer?.waited(this.#clock.monotonic() - since);
    return key;
  }

  #cancelTimer(key: string): void {
    this.#timers.get(key)?.cancel();
    this.#timers.delete(key);
  }
}
