const firstRetryMs = 1_000;
const maxRetryMs = 60_000;

/** When to try again after this many tries: 1 s doubling to 60 s, for as long as it takes. */
export function decideRetry(tries: number, now: number): number {
  return now + Math.min(firstRetryMs * 2 ** Math.min(tries, 16), maxRetryMs);
}
