import type { AgenticSessionStatus } from "@millrace/contracts";
import { isApiError } from "../kube/api-error.ts";
import type { KubeClient } from "../kube/kube-client.ts";
import { type Session, readSession, sessionKind } from "./session.ts";

/** Somebody may write labels all the time; the cache will have seen some of it by the next reconcile. */
const tries = 4;

interface StatusWrite {
  readonly status: AgenticSessionStatus;
  /** The last one of the session that is known, its own writes included. */
  readonly version: string;
}

/**
 * Writes over the very status that was looked at, or throws `conflict`: a lease cannot call back what has left, and what a
 * leader sent before it was frozen may arrive when another has long gone on. Whoever writes the rest of the session
 * meanwhile is not in its way. Returns the version that it wrote over, and the new one.
 */
export async function writeStatus(
  api: Pick<KubeClient, "applyStatus" | "get">,
  session: Session,
  { status, version }: StatusWrite,
): Promise<{ readonly over: string; readonly version: string }> {
  let over = version;
  for (let left = tries - 1; ; left -= 1) {
    try {
      const ref = { ...session.metadata, resourceVersion: over };
      const { metadata } = await api.applyStatus(sessionKind, ref, status);
      return { over, version: metadata.resourceVersion };
    } catch (error) {
      if (!isApiError(error, "conflict") || left === 0) throw error;
      const now = await versionWithSameStatus(api, session);
      if (now === undefined) throw error;
      over = now;
    }
  }
}

/** Undefined: it is another session by now, or somebody else has said how it is. */
async function versionWithSameStatus(
  api: Pick<KubeClient, "get">,
  session: Session,
): Promise<string | undefined> {
  const stored = await api.get(sessionKind, session.metadata);
  const now = stored && readSession(stored);
  if (now?.metadata.uid !== session.metadata.uid) return undefined;
  return isNews(session.status, now.status) ? undefined : now.metadata.resourceVersion;
}

/** Activity and usage alone are not worth a write: they come with the next. */
export function isNews(before: Session["status"], after: Session["status"]): boolean {
  return comparable(before) !== comparable(after);
}

const comparable = (status: Session["status"]): string =>
  JSON.stringify(sorted({ ...status, lastActivityTime: undefined, usage: undefined }));

/** The API server keeps fields in its own order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(
    entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, one]) => [name, sorted(one)]),
  );
}
