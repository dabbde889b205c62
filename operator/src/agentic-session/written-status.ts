import type { AgenticSessionStatus } from "@millrace/contracts";
import type { Session } from "./session.ts";

/**
 * Statuses as they were written last, until the cache has moved: it lags behind our own writes, and a reconcile that
 * does not know of the last one would write the same again, and tell of it twice.
 */
export class WrittenStatus {
  readonly #written = new Map<
    string,
    { readonly over: string; readonly status: AgenticSessionStatus }
  >();

  wrote({ metadata }: Session, status: AgenticSessionStatus): void {
    this.#written.set(metadata.uid, { over: metadata.resourceVersion, status });
  }

  /** The session with what is known to stand there by now. */
  onto(session: Session): Session {
    const { uid, resourceVersion } = session.metadata;
    const written = this.#written.get(uid);
    if (!written) return session;
    if (written.over === resourceVersion) return { ...session, status: written.status };
    this.#written.delete(uid);
    return session;
  }

  forget(uid: string): void {
    this.#written.delete(uid);
  }
}
