import type { Session } from "../session.ts";
import type { Draft } from "../../kube/kind.ts";
import type { Job } from "../facts.ts";
import type { SessionSettings } from "../session-settings.ts";
import { attemptChildOf } from "./child-of.ts";
import { type AttemptFacts, makePod } from "./make-pod.ts";

/** The operator ends a run at its timeout; the Job's own deadline is for when there is no operator. */
const deadlineSlackSeconds = 120;

/** How long a pod of the session may live whatever happens. */
export function limitSeconds({ spec }: Session, { graceSeconds }: SessionSettings): number {
  const { startDeadlineSeconds, timeoutSeconds } = spec;
  return startDeadlineSeconds + timeoutSeconds + graceSeconds + deadlineSlackSeconds;
}

/** One attempt. The run object decides about the next, so the Job never tries again by itself. */
export function makeJob(
  session: Session,
  attempt: AttemptFacts,
  settings: SessionSettings,
): Draft<Job> {
  return {
    metadata: attemptChildOf(session, attempt.attempt),
    spec: {
      backoffLimit: 0,
      completions: 1,
      parallelism: 1,
      podReplacementPolicy: "Failed",
      activeDeadlineSeconds: limitSeconds(session, settings),
      template: makePod(session, attempt, settings),
    },
  };
}
