import type { Session } from "../session.ts";
import type { Draft } from "../../kube/kind.ts";
import type { Job } from "../facts.ts";
import type { SessionSettings } from "../session-settings.ts";
import { attemptChildOf } from "./child-of.ts";
import { type AttemptFacts, makePod } from "./make-pod.ts";

/** The operator ends a run at its timeout; the Job's own deadline is for when there is no operator. */
const deadlineSlackSeconds = 120;

/** One attempt. The run object decides about the next, so the Job never tries again by itself. */
export function makeJob(
  session: Session,
  attempt: AttemptFacts,
  settings: SessionSettings,
): Draft<Job> {
  const { startDeadlineSeconds, timeoutSeconds } = session.spec;
  const limit = startDeadlineSeconds + timeoutSeconds + settings.graceSeconds;
  return {
    metadata: attemptChildOf(session, attempt.attempt),
    spec: {
      backoffLimit: 0,
      completions: 1,
      parallelism: 1,
      podReplacementPolicy: "Failed",
      activeDeadlineSeconds: limit + deadlineSlackSeconds,
      template: makePod(session, attempt, settings),
    },
  };
}
