import type { RunInput } from "@millrace/contracts";
import type { Session } from "./session.ts";
import type { EngineStep } from "./step.ts";

/** Nothing can be done before the user has said something: the run is given back until then. */
export class UserAwaited extends Error {
  override readonly name = "UserAwaited";
  /** Null: the turn is over, and nothing was asked. */
  readonly question: string | null;
  /** The last input that was taken in. */
  readonly heard: number;

  constructor(question: string | null, heard: number) {
    super("the run waits for its user");
    this.question = question;
    this.heard = heard;
  }
}

/** The last input that the steps have taken in; 0: none. */
export function lastHeard(steps: readonly EngineStep[]): number {
  const heard = steps.flatMap((step) => ("heard" in step && step.heard ? [step.heard] : []));
  return heard.at(-1) ?? 0;
}

/** What the user said next, if that is here already. */
export function nextInput({ attempt, journal }: Session): RunInput | undefined {
  const heard = lastHeard(journal.steps);
  return attempt.claimed.inputs?.find(({ n }) => n > heard);
}
