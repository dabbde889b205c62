import {
  type Logger,
  type SessionReport,
  type SessionStart,
  type SessionStop,
} from "@millrace/contracts";
import { isApiError } from "../kube/api-error.ts";
import type { KubeClient } from "../kube/kube-client.ts";
import { type Children, kinds } from "./children.ts";
import { childName } from "./child-name.ts";
import { makeEdgeSession } from "./resources/make-edge-session.ts";
import { annotations } from "./resources/annotations.ts";
import { makeAttemptSecret } from "./resources/make-secret.ts";
import { attemptOf } from "./observe.ts";
import { edgeRunLabel } from "./resources/make-edge-session.ts";
import { refusalOf } from "./refusal.ts";
import { type Session, type StoredSession, readSession, sessionKind } from "./session.ts";
import { needsOwnPod } from "./needs-own-pod.ts";
import { dropWarmPod } from "./adopt-pod.ts";
import type { SessionSettings } from "./session-settings.ts";
import type { Identities } from "./identities.ts";

export interface PoolTools {
  /** Of the leadership. */
  readonly api: KubeClient;
  readonly children: Children;
  readonly identities: Identities;
  readonly settings: Pick<SessionSettings, "pool" | "warmPool">;
  readonly log: Logger;
  readonly send: (report: SessionReport) => void;
}

/**
 * The platform wants an attempt executed. Done when that is stored: as the attempt's Secret, whose being there makes
 * the reconcile start it.
 */
export async function obeyStart(start: SessionStart, tools: PoolTools): Promise<void> {
  const { api, settings } = tools;
  const session = await sessionOf(start, tools);
  if (!session || !isWanted(start, session, tools)) {
    return dropWarmPod(api, settings, start.warm?.podName ?? null);
  }
  await tools.api.apply(kinds.secret, makeAttemptSecret(session, start, Date.now()));
}

/** Not when a later attempt is known, nor in a warm pod when the session has come to need one of its own: that one hands the run back. */
function isWanted(start: SessionStart, session: Session, { children }: PoolTools): boolean {
  const { uid } = session.metadata;
  const known = children.secrets.cache.by("owner", uid).map(attemptOf);
  if (Math.max(0, session.status?.attempt ?? 0, ...known) > start.attempt) return false;
  return start.warm === null || !needsOwnPod(session.spec);
}

/** The platform wants an attempt ended. Done when that is written on its Secret, or nothing of it is there. */
export async function obeyStop(stop: SessionStop, tools: PoolTools): Promise<void> {
  const session = tools.children.sessions.cache.by("run", stop.runId)[0];
  const secret = session && {
    namespace: session.metadata.namespace,
    name: childName(session.metadata.name, stop.attempt),
  };
  const notes = {
    [annotations.stopBy]: stop.by,
    [annotations.stopGraceMs]: String(stop.graceMs),
  };
  try {
    if (!secret) return sayNothingRuns(stop, tools);
    await tools.api.patch(kinds.secret, secret, { metadata: { annotations: notes } });
  } catch (error) {
    if (!isApiError(error, "not_found")) throw error;
    sayNothingRuns(stop, tools);
  }
}

function sayNothingRuns({ runId, attempt }: SessionStop, { send }: PoolTools): void {
  send({
    type: "report",
    key: `${runId}/${attempt}/stopped`,
    runId,
    attempt,
    kind: "stopped",
    reason: "Stopped",
    message: "Nothing of the session is running",
    evidence: {},
    retryable: false,
  });
}

/** The session of a run; of a run of the edge it is made, in the name of the run's user. */
async function sessionOf(start: SessionStart, tools: PoolTools): Promise<Session | undefined> {
  const { api } = tools;
  const from = start.spec.session;
  if (from) {
    const found = await api.get(sessionKind, from);
    if (found && found.metadata.uid === from.uid) return readSession(found);
    return refuse(start, tools, "SessionDeleted", `AgenticSession ${from.name} is gone`);
  }
  const identity = tools.identities.of(start.spec.owner);
  if (!identity) {
    const who = start.spec.owner ?? "nobody";
    return refuse(start, tools, "OwnerNotPermitted", `The cluster knows no user for ${who}`);
  }
  const draft = makeEdgeSession(start, identity);
  const found = await api.get(sessionKind, draft.metadata);
  if (found) return ownOf(found, start, identity.user, tools);
  try {
    return readSession(await api.with({ as: identity }).create(sessionKind, draft));
  } catch (error) {
    const refusal = refusalOf(error);
    if (!refusal) throw error;
    return refuse(start, tools, "OwnerNotPermitted", refusal.message);
  }
}

/** A session that somebody else has put under this name must not execute the run. */
function ownOf(
  found: StoredSession,
  start: SessionStart,
  user: string,
  tools: PoolTools,
): Session | undefined {
  const session = readSession(found);
  const isOurs =
    session?.metadata.labels?.[edgeRunLabel] === start.runId && session.spec.owner === user;
  if (isOurs) return session;
  const { name } = found.metadata;
  return refuse(start, tools, "OwnerNotPermitted", `AgenticSession ${name} is somebody else's`);
}

function refuse(
  { runId, attempt }: SessionStart,
  { send, log }: PoolTools,
  reason: string,
  message: string,
): undefined {
  log.warn("a session is not started", { runId, attempt, reason });
  send({
    type: "report",
    key: `${runId}/${attempt}/start_failed`,
    runId,
    attempt,
    kind: "start_failed",
    reason,
    message: message.slice(0, 1024),
    evidence: {},
    retryable: false,
  });
}
