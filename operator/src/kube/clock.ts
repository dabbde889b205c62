/** Time as the library sees it; tests bring their own and wait for nothing. */
export interface Clock {
  /** Wall clock, Unix ms: only for what others read (timestamps, requeue times). */
  readonly now: () => number;
  /** Milliseconds that only ever grow: for every duration. */
  readonly monotonic: () => number;
  /** Calls `fire` once, not before `delayMs` have passed. Returns what cancels it. */
  readonly schedule: (delayMs: number, fire: () => void) => () => void;
}

/** Node turns a longer delay into 1 ms. */
const longestTimerMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: Date.now,
  monotonic: () => performance.now(),
  schedule: (delayMs, fire) => {
    const timer = setTimeout(fire, Math.min(Math.max(delayMs, 0), longestTimerMs));
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs`, or as soon as the signal aborts. It never rejects: the caller looks at the signal. */
export function sleep(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.schedule(delayMs, done);
    signal.addEventListener("abort", done, { once: true });
  });
}

/** Resolves when the signal aborts. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
