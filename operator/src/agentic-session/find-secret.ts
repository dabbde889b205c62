import type { SessionRef, SessionRun } from "@millrace/contracts";
import type { Informer } from "../kube/informer.ts";
import type { Ref } from "../kube/kind.ts";
import { childName } from "./child-name.ts";
import type { Secret } from "./facts.ts";
import { attemptOf } from "./observe.ts";
import type { StoredSession } from "./session.ts";

interface Caches {
  readonly sessions: Pick<Informer<StoredSession, "run">, "cache">;
  readonly secrets: Pick<Informer<Secret, "owner" | "run">, "cache">;
}

/**
 * Where the Secret of a run's attempt lies, if there is one. The session's status names the run, but may come later than
 * what was made for it: then the run knows its session, and without either, what is stored speaks for itself.
 */
export function findSecret(
  { runId, attempt }: { readonly runId: string; readonly attempt: number },
  { children, run }: { readonly children: Caches; readonly run: SessionRun | undefined },
): Ref | undefined {
  const { sessions, secrets } = children;
  const [known = run?.session && cachedSession(run.session, sessions.cache)] = sessions.cache.by(
    "run",
    runId,
  );
  if (known) {
    const { namespace, name } = known.metadata;
    return { namespace, name: childName(name, attempt) };
  }
  // Last, since whoever may write Secrets may write this into one.
  return secrets.cache.by("run", runId).find((one) => attemptOf(one) === attempt)?.metadata;
}

/** Undefined also for another session that has its name. */
export function cachedSession(
  of: SessionRef,
  cache: Pick<Caches["sessions"]["cache"], "get">,
): StoredSession | undefined {
  const found = cache.get(of);
  return found?.metadata.uid === of.uid ? found : undefined;
}
