import type { ClaimedAttempt } from "./attempt/claim-attempt.ts";
import type { RunnerEnv } from "./env.ts";
import type { Logger } from "./log.ts";

export function makeExecute(
  _env: RunnerEnv,
  _runnerId: string,
): (claimed: ClaimedAttempt, log: Logger) => Promise<void> {
  return () => Promise.reject(new Error("there is no engine yet"));
}
