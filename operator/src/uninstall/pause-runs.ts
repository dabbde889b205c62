import { type Logger, type SessionRun, isOver } from "@millrace/contracts";
import { type StoredSession, readSession } from "../agentic-session/session.ts";
import type { EdgeAnswer } from "../edge/edge-answer.ts";
import type { EdgeHttp } from "../edge/edge-http.ts";
import { type Clock, sleep } from "../kube/clock.ts";
import { isBeingDeleted } from "../kube/finalizers.ts";
import { eachOf } from "./each-of.ts";

/** What has become of a session's run: it waits at the edge, is over, or nobody knows that it does not execute. */
export type RunEnd = "none" | "waits" | "over" | "unknown";

export interface PauseOptions {
  readonly edge: Pick<EdgeHttp, "act">;
  readonly log: Logger;
  readonly clock: Clock;
  /** By the monotonic clock. */
  readonly until: number;
  readonly signal: AbortSignal;
}

/** Who stands in the run's events as the one that asked. */
const by = "operator:uninstall";
const askAgainMs = 1000;
/** An edge that was asked so often in a row and never answered is not waited for. */
const mostSilences = 3;

/**
 * Pauses each open run, and cancels that of a session that is being deleted, until all have done so, the time is up, or
 * the edge does not answer. By the session's uid. To ask again changes nothing, so the question is also the look.
 */
export async function pauseRuns(
  sessions: readonly StoredSession[],
  { edge, log, clock, until, signal }: PauseOptions,
): Promise<ReadonlyMap<string, RunEnd>> {
  const ends = new Map(sessions.map((one) => [one.metadata.uid, endBefore(one)]));
  let silences = 0;
  for (let told = -1; !signal.aborted;) {
    const open = sessions.filter(({ metadata }) => ends.get(metadata.uid) === "unknown");
    if (open.length !== told) log.info("runs that may be executing", { runs: open.length });
    told = open.length;
    if (told === 0) break;
    silences = (await askAll(open, edge, ends)) ? 0 : silences + 1;
    if (silences >= mostSilences || clock.monotonic() >= until) break;
    await sleep(clock, askAgainMs, signal);
  }
  return ends;
}

function endBefore(session: StoredSession): RunEnd {
  const { status } = readSession(session) ?? {};
  if (status?.runId === undefined) return "none";
  return status.completionTime === undefined ? "unknown" : "over";
}

/** False when the edge was silent: then nobody else is asked, as each question may take long. */
async function askAll(
  open: readonly StoredSession[],
  edge: PauseOptions["edge"],
  ends: Map<string, RunEnd>,
): Promise<boolean> {
  let isSilent = false;
  await eachOf(open, async (session) => {
    const runId = readSession(session)?.status?.runId;
    if (isSilent || runId === undefined) return;
    const answer = await edge.act(isBeingDeleted(session) ? "cancel" : "stop", runId, by);
    if (!answer.ok && answer.code === "unreachable") isSilent = true;
    ends.set(session.metadata.uid, endOf(answer));
  });
  return !isSilent;
}

function endOf(answer: EdgeAnswer<SessionRun>): RunEnd {
  if (!answer.ok) return answer.code === "not_found" ? "over" : "unknown";
  const { status } = answer.value;
  if (isOver(status)) return "over";
  return status === "waiting" || status === "queued" ? "waits" : "unknown";
}
