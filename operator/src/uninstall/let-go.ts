import { type AgenticSessionStatus, sessionFinalizer } from "@millrace/contracts";
import {
  type Session,
  type StoredSession,
  readSession,
  sessionKind,
} from "../agentic-session/session.ts";
import type { EdgeHttp } from "../edge/edge-http.ts";
import { isApiError } from "../kube/api-error.ts";
import type { EventRecorder } from "../kube/event-recorder.ts";
import { isBeingDeleted, removeFinalizer } from "../kube/finalizers.ts";
import type { KubeClient } from "../kube/kube-client.ts";
import type { RunEnd } from "./pause-runs.ts";

export interface LetGoTools {
  readonly api: KubeClient;
  readonly edge: Pick<EdgeHttp, "revokeTokens" | "deleteLogs">;
  readonly recorder: EventRecorder;
}

const mostTries = 5;

/**
 * The session becomes a record that nobody looks after: its status says so, and its finalizer, which nobody would
 * take off any more, goes.
 */
export async function letGo(session: StoredSession, end: RunEnd, tools: LetGoTools): Promise<void> {
  if (isBeingDeleted(session)) await clearEdge(session, end, tools.edge);
  for (let tries = 1; ; tries += 1) {
    try {
      await writeLast(session, end, tools);
      return;
    } catch (error) {
      if (isApiError(error, "not_found")) return;
      // Somebody wrote meanwhile.
      if (!isApiError(error, "conflict") || tries >= mostTries) throw error;
    }
  }
}

/** Only over the version that is read here. */
async function writeLast(
  { metadata }: StoredSession,
  end: RunEnd,
  { api, recorder }: LetGoTools,
): Promise<void> {
  const found = await api.get(sessionKind, metadata);
  if (!found || found.metadata.uid !== metadata.uid) return;
  const session = readSession(found);
  const status = session && decideLastStatus(session, end);
  const written = status ? await api.applyStatus(sessionKind, found.metadata, status) : found;
  if (status) tell(found, status, recorder);
  await removeFinalizer(api, sessionKind, written, sessionFinalizer);
}

/** What the end of a deletion does at the edge. Best effort: tokens end by themselves, and logs have their days. */
async function clearEdge(
  stored: StoredSession,
  end: RunEnd,
  edge: LetGoTools["edge"],
): Promise<void> {
  const session = readSession(stored);
  const runId = session?.status?.runId;
  if (runId === undefined || end === "unknown") return;
  await edge.revokeTokens(runId);
  if (session?.spec.retention.logs === 0) await edge.deleteLogs(runId);
}

/** Undefined: what stands there stays true without an operator. */
export function decideLastStatus(session: Session, end: RunEnd): AgenticSessionStatus | undefined {
  const { status } = session;
  if (!status || end === "none" || end === "over") return undefined;
  // Paused on purpose, or waiting for its user: that is so with and without an operator.
  if (end === "waits" && (status.phase === "Stopped" || status.phase === "Waiting"))
    return undefined;
  const told = { ...status, phase: "Stopped", reason: "Uninstalled" } as const;
  if (end === "unknown") {
    const message =
      "The operator was uninstalled before the run had paused; when one is back, it goes on from its last checkpoint";
    // Whoever comes next has to find out what became of the attempt.
    return { ...told, message };
  }
  const message = "The operator was uninstalled; the run is paused, and goes on when one is back";
  return {
    ...told,
    message,
    ...(status.attempt !== undefined && { endedAttempt: status.attempt }),
  };
}

function tell(about: StoredSession, status: AgenticSessionStatus, recorder: EventRecorder): void {
  const { reason = "", message = "" } = status;
  recorder.record(about, { type: "Normal", reason, action: "Uninstall", note: message });
}
