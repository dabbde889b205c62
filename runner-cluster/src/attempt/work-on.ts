import type { Logger } from "../log.ts";
import type { ClaimedAttempt } from "./claim-attempt.ts";
import type { LiveAttempt } from "./live-attempt.ts";

export type Execute = (claimed: ClaimedAttempt, log: Logger) => Promise<void>;

/** Has the engine execute an attempt, and sees to it that it ends. */
export async function workOn(
  claimed: ClaimedAttempt,
  execute: Execute,
  log: Logger,
): Promise<void> {
  const { attempt } = claimed;
  try {
    await execute(claimed, log);
    if (!attempt.isOpen) return;
    log.error("the engine returned and the attempt is not finished");
  } catch (error) {
    if (attempt.fenced.aborted) return;
    log.error("the engine broke", { error });
  }
  if (attempt.isOpen) await failAttempt(attempt);
}

/** A bug of ours ends the attempt, not the run: another try may pass it by. */
async function failAttempt(attempt: LiveAttempt): Promise<void> {
  const outcome = {
    kind: "failed",
    code: "runner_error",
    error: "The runner met an internal error.",
    retryable: true,
  } as const;
  // A rejection means fenced: somebody else has the run.
  await attempt.finish(outcome).catch(() => undefined);
}
