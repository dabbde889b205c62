import type { AgenticSessionStatus } from "@millrace/contracts";
import type { Session } from "./session.ts";

interface Written {
  /** Versions that the cache still has to pass on its way to what was written. */
  readonly passing: ReadonlySet<string>;
  readonly version: string;
  readonly status: AgenticSessionStatus;
}

/**
 * Statuses as they were written last, until the cache has moved: it lags behind our own writes, and a reconcile that
 * does not know of the last one would carry out the same again, and meet its own write as a conflict.
 */
export class WrittenStatus {
  readonly #written = new Map<string, Written>();

  /** `session` is what it was written for: as the cache had it, or `onto` made of that. */
  wrote(
    { metadata: { uid, resourceVersion } }: Session,
    status: AgenticSessionStatus,
    { over, version }: { readonly over: string; readonly version: string },
  ): void {
    const before = this.#written.get(uid);
    const since = before?.version === resourceVersion ? before.passing : [];
    const passing = new Set([...since, resourceVersion, over]);
    this.#written.set(uid, { passing, version, status });
  }

  /** The session with what is known to stand there by now, and its version. */
  onto(session: Session): Session {
    const { uid, resourceVersion } = session.metadata;
    const written = this.#written.get(uid);
    if (!written) return session;
    const { passing, version, status } = written;
    if (passing.has(resourceVersion)) {
      return { ...session, metadata: { ...session.metadata, resourceVersion: version }, status };
    }
    this.#written.delete(uid);
    return session;
  }

  forget(uid: string): void {
    this.#written.delete(uid);
  }
}
