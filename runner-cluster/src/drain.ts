import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "./log.ts";

/** What a drain needs of a runner. */
export interface Drainable {
  /** Takes no more work; resolves when there is none left. */
  drain(): Promise<void>;
  /** Stops the work that is left; its runs go back to the queue. */
  handBack(): void;
}

/**
 * The way out of the process: no more offers, attempts may finish, what is left when the deadline is near is handed
 * back. Resolves with the exit code; 1 when the deadline passed with work in hand.
 *
 *     signal ---- attempts finish ---- handBack -- margin -- deadline
 */
export async function drainBefore(
  runner: Drainable,
  deadlineMs: number,
  log: Logger,
): Promise<0 | 1> {
  const marginMs = Math.min(5_000, deadlineMs / 3);
  const stop = new AbortController();
  const drained = runner.drain().then(() => true);
  const handBackThenGiveUp = async (): Promise<boolean> => {
    await delay(deadlineMs - marginMs, undefined, { signal: stop.signal });
    log.warn("drain deadline is near, handing runs back");
    runner.handBack();
    await delay(marginMs, undefined, { signal: stop.signal });
    return false;
  };
  const gaveUp = handBackThenGiveUp();
  gaveUp.catch(() => undefined);
  const inTime = await Promise.race([drained, gaveUp]);
  stop.abort();
  if (!inTime) log.error("drain deadline passed with attempts at work");
  return inTime ? 0 : 1;
}
