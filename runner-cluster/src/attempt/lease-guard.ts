import type { LeaseClock } from "../edge/lease-clock.ts";
import { LeaseLost } from "./attempt.ts";

/**
 * Holds an attempt's work to its lease: what runs is aborted at the lease's end, what wants to begin
 * waits while the end is near. Questions are answered by the clock, never by a timer that has yet to run.
 */
export class LeaseGuard {
  readonly #clock: LeaseClock;
  /** The attempt's own signal: waiting ends with its reason. */
  readonly #signal: AbortSignal;
  readonly #onLost: () => void;
  #work = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #waiting: PromiseWithResolvers<void>[] = [];
  #ended = false;

  constructor(clock: LeaseClock, signal: AbortSignal, onLost: () => void) {
    this.#clock = clock;
    this.#signal = signal;
    this.#onLost = onLost;
    signal.addEventListener("abort", () => this.#rejectWaiting(), { once: true });
    this.renewed();
  }

  /** The clock was granted more time. */
  renewed(): void {
    if (this.#ended || !this.holds()) return;
    if (this.#work.signal.aborted) this.#work = new AbortController();
    this.#timer ??= setTimeout(() => this.#expire(), this.#clock.leftMs(performance.now()));
    if (!this.#clock.mayBegin(performance.now())) return;
    for (const waiter of this.#waiting.splice(0)) waiter.resolve();
  }

  holds(): boolean {
    if (this.#ended) return false;
    const holds = this.#clock.holds(performance.now());
    if (!holds) this.#lose();
    return holds;
  }

  /** Resolves when there is enough lease to begin something; rejects with the reason of the attempt's end. */
  async ready(): Promise<void> {
    this.#signal.throwIfAborted();
    if (this.holds() && this.#clock.mayBegin(performance.now())) return;
    const waiter = Promise.withResolvers<void>();
    this.#waiting.push(waiter);
    await waiter.promise;
    // Between the grant and this turn the process may have been stopped.
    return this.ready();
  }

  workSignal(): AbortSignal {
    // Asking first makes a lease that ended while nobody looked count as lost.
    if (!this.#ended) this.holds();
    return AbortSignal.any([this.#signal, this.#work.signal]);
  }

  /** The attempt is over: nothing is held, and no loss is told any more. */
  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#clock.drop();
  }

  #expire(): void {
    this.#timer = undefined;
    if (this.holds()) this.renewed();
  }

  #lose(): void {
    if (this.#work.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#work.abort(new LeaseLost("the lease ended before it was renewed"));
    this.#onLost();
  }

  #rejectWaiting(): void {
    for (const waiter of this.#waiting.splice(0)) waiter.reject(this.#signal.reason);
  }
}
