import {
  type Logger,
  type SessionRef,
  type SessionReport,
  type SessionStart,
  type SessionStop,
} from "@millrace/contracts";
import { isApiError } from "../kube/api-error.ts";
import type { KubeClient } from "../kube/kube-client.ts";
import { type Children, kinds } from "./children.ts";
import { makeEdgeSession } from "./resources/make-edge-session.ts";
import { annotations } from "./resources/annotations.ts";
import { makeAttemptSecret } from "./resources/make-secret.ts";
import { cachedSession, findSecret } from "./find-secret.ts";
import { attemptOf } from "./observe.ts";
import { edgeRunLabel } from "./resources/make-edge-session.ts";
import { type Refusal, refusalOf } from "./refusal.ts";
import { type Session, type StoredSession, readSession, sessionKind } from "./session.ts";
import { needsOwnPod } from "./needs-own-pod.ts";
import { makeNothingRuns, makeStartRefusal } from "./make-report.ts";
import { dropWarmPod } from "./adopt-pod.ts";
import type { SessionSettings } from "./session-settings.ts";
import type { Identities } from "./identities.ts";
import type { RunViews } from "./run-views.ts";

export interface PoolTools {
  /** Of the leadership. */
  readonly api: KubeClient;
  readonly children: Children;
  readonly identities: Identities;
  readonly runs: Pick<RunViews, "get">;
  readonly settings: Pick<SessionSettings, "pool" | "warmPool">;
  readonly log: Logger;
}

/**
 * The platform wants an attempt executed. Done when that is stored: as the attempt's Secret, whose being there makes
 * the reconcile start it. Else why it is refused.
 */
export async function obeyStart(
  start: SessionStart,
  tools: PoolTools,
): Promise<SessionReport | undefined> {
  const { api, settings, log } = tools;
  const session = await sessionOf(start, tools);
  const refusal = isRefusal(session) ? session : await storeStart(start, session, tools);
  if (refusal === undefined) return undefined;
  await dropWarmPod(api, settings, start.warm?.podName ?? null);
  if (refusal === "unwanted") return undefined;
  const { runId, attempt } = start;
  log.warn("a session is not started", { runId, attempt, reason: refusal.reason });
  return makeStartRefusal(start, refusal);
}

const isRefusal = (found: Session | Refusal): found is Refusal => "retryable" in found;

async function storeStart(
  start: SessionStart,
  session: Session,
  tools: PoolTools,
): Promise<Refusal | "unwanted" | undefined> {
  if (!isWanted(start, session, tools)) return "unwanted";
  try {
    await tools.api.apply(kinds.secret, makeAttemptSecret(session, start, Date.now()));
    return undefined;
  } catch (error) {
    const refusal = refusalOf(error);
    if (!refusal) throw error;
    return refusal;
  }
}

/** Not when a later attempt is known, nor in a warm pod when the session has come to need one of its own: that one hands the run back. */
function isWanted(start: SessionStart, session: Session, { children }: PoolTools): boolean {
  const { uid } = session.metadata;
  const known = children.secrets.cache.by("owner", uid).map(attemptOf);
  if (Math.max(0, session.status?.attempt ?? 0, ...known) > start.attempt) return false;
  return start.warm === null || !needsOwnPod(session.spec);
}

/** The platform wants an attempt ended. Done when that is written on its Secret; else nothing of it is there. */
export async function obeyStop(
  stop: SessionStop,
  tools: PoolTools,
): Promise<SessionReport | undefined> {
  const { children, runs } = tools;
  const secret = findSecret(stop, { children, run: runs.get(stop.runId) });
  if (!secret) return makeNothingRuns(stop);
  const notes = {
    [annotations.stopBy]: stop.by,
    [annotations.stopGraceMs]: String(stop.graceMs),
  };
  try {
    await tools.api.patch(kinds.secret, secret, { metadata: { annotations: notes } });
    return undefined;
  } catch (error) {
    if (!isApiError(error, "not_found")) throw error;
    return makeNothingRuns(stop);
  }
}

/** The session of a run; of a run of the edge it is made, in the name of the run's user. */
async function sessionOf(start: SessionStart, tools: PoolTools): Promise<Session | Refusal> {
  const { api, children } = tools;
  const from = start.spec.session;
  if (from) return sessionOfCluster(from, tools);
  const identity = tools.identities.of(start.spec.owner);
  if (!identity) {
    const who = start.spec.owner ?? "nobody";
    return notPermitted(`The cluster knows no user for ${who}`);
  }
  const draft = makeEdgeSession(start, identity);
  const known = children.sessions.cache.get(draft.metadata);
  const found = known ?? (await api.get(sessionKind, draft.metadata));
  if (found) return ownOf(found, start, identity.user);
  try {
    const made = readSession(await api.with({ as: identity }).create(sessionKind, draft));
    return (
      made ?? final("InvalidSpec", "The API server has made another session than was asked for")
    );
  } catch (error) {
    const refusal = refusalOfSession(error);
    if (!refusal) throw error;
    return refusal;
  }
}

/** What is made for one that the cache still has, and that is gone, goes with it. */
async function sessionOfCluster(
  from: SessionRef,
  { api, children }: PoolTools,
): Promise<Session | Refusal> {
  const known = cachedSession(from, children.sessions.cache);
  const found = known ?? (await api.get(sessionKind, from));
  const session = found?.metadata.uid === from.uid ? readSession(found) : undefined;
  return session ?? final("SessionDeleted", `AgenticSession ${from.name} is gone`);
}

/** What the user of the run may not do, or the namespace of the mapping does not take. */
function refusalOfSession(error: unknown): Refusal | undefined {
  if (isApiError(error, "forbidden")) return notPermitted((error as Error).message);
  // Of what is only created: the namespace is not there.
  if (isApiError(error, "not_found")) {
    return final("NamespaceMissing", (error as Error).message);
  }
  return refusalOf(error);
}

/** A session that somebody else has put under this name must not execute the run. */
function ownOf(found: StoredSession, start: SessionStart, user: string): Session | Refusal {
  const session = readSession(found);
  const isOurs =
    session?.metadata.labels?.[edgeRunLabel] === start.runId && session.spec.owner === user;
  if (session && isOurs) return session;
  return notPermitted(`AgenticSession ${found.metadata.name} is somebody else's`);
}

const final = (reason: string, message: string): Refusal => ({ reason, message, retryable: false });
const notPermitted = (message: string): Refusal => final("OwnerNotPermitted", message);
