import type { AgenticSessionStatus } from "@millrace/contracts";
import type { Session } from "./session.ts";

/** In ms. A person does not miss it, and a platform that has room asks for the first attempt long before. */
const waitMs = 500;

/**
 * The first status of a session waits a moment for its first attempt: "queued" and "creating" are one write then, with one
 * Event. Nothing hangs on the earlier one, since the same session always gets the same run.
 */
export class FirstWord {
  readonly #until = new Map<string, number>();

  /** Until when a status is to wait (Unix ms); undefined: it is to be written now. */
  waitsUntil(session: Session, status: AgenticSessionStatus, now: number): number | undefined {
    const { uid } = session.metadata;
    if (session.status !== undefined || !isBeforeAttempt(status)) {
      this.#until.delete(uid);
      return undefined;
    }
    // Kept until the status stands there: a write that meets a conflict does not wait again.
    const until = this.#until.get(uid) ?? now + waitMs;
    this.#until.set(uid, until);
    return now < until ? until : undefined;
  }

  forget(uid: string): void {
    this.#until.delete(uid);
  }
}

/** Nothing but that there is a run; what its user has told it already is to be remembered at once. */
const isBeforeAttempt = (status: AgenticSessionStatus): boolean =>
  status.phase === "Pending" &&
  (status.reason === "Queued" || status.reason === "Accepted") &&
  status.attempt === undefined &&
  status.sentMessages === undefined;
