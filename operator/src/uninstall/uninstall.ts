import type { KubeConfig } from "@kubernetes/client-node";
import type { Logger } from "@millrace/contracts";
import { type StoredSession, sessionKind } from "../agentic-session/session.ts";
import { EdgeHttp } from "../edge/edge-http.ts";
import { tokenFile } from "../edge/token-file.ts";
import type { OperatorEnv } from "../env.ts";
import { isApiError } from "../kube/api-error.ts";
import { systemClock as clock } from "../kube/clock.ts";
import { EventRecorder } from "../kube/event-recorder.ts";
import { KubeClient } from "../kube/kube-client.ts";
import { type Leadership, LeaderElection } from "../kube/leader-election.ts";
import { deleteLease, makeLeaseStore } from "../kube/lease-store.ts";
import { clearPods, listAll } from "./clear-pods.ts";
import { eachOf } from "./each-of.ts";
import { letGo } from "./let-go.ts";
import { type RunEnd, pauseRuns } from "./pause-runs.ts";
import { stopOperator } from "./stop-operator.ts";

export interface UninstallOptions {
  readonly env: OperatorEnv;
  readonly config: KubeConfig;
  readonly log: Logger;
  /** Ends it where it is; it may be begun again. */
  readonly signal: AbortSignal;
}

const fieldManager = "millrace-operator";
/** For rights to be known, and for the replicas to hand over or their Lease to run out. */
const takeOverShare = 0.4;
const pauseShare = 0.7;

/**
 * Ends what the operator has running, so that it can be taken away: runs pause at the edge, pods go, sessions stay as
 * records without a finalizer, and go on when an operator is back. Does as much as its time allows and then says what
 * is left; rejects when another operator leads, or the API server refuses.
 */
export async function uninstall({ env, config, log, signal }: UninstallOptions): Promise<void> {
  const began = clock.monotonic();
  const at = (share: number): number => began + env.UNINSTALL_SECONDS * 1000 * share;
  const api = new KubeClient(config, { fieldManager });
  const { POD_NAMESPACE: namespace, LEASE_NAME, OPERATOR_DEPLOYMENT } = env;
  if (OPERATOR_DEPLOYMENT !== undefined) {
    const takesOver = { clock, until: at(takeOverShare), signal };
    await stopOperator(api, { namespace, name: OPERATOR_DEPLOYMENT }, takesOver);
    log.info("the operator stops", { deployment: OPERATOR_DEPLOYMENT });
  }
  const lease = { namespace, name: LEASE_NAME };
  const done = new AbortController();
  let hasLed = false;
  const election = new LeaderElection({
    store: makeLeaseStore(api, lease, Date.now),
    identity: env.identity,
    leaseMs: env.LEASE_SECONDS * 1000,
    onError: (error) => log.warn("the Lease could not be read or written", { error }),
  });
  const stopWaiting = clock.schedule(at(takeOverShare) - clock.monotonic(), () => {
    if (!hasLed) done.abort();
  });
  const lead = async (leadership: Leadership): Promise<void> => {
    hasLed = true;
    await endSessions(leadership, { env, api, log, at });
    done.abort();
  };
  await election.run(lead, AbortSignal.any([signal, done.signal])).finally(stopWaiting);
  signal.throwIfAborted();
  if (!hasLed) throw new Error(`another operator holds Lease ${LEASE_NAME}: nothing was changed`);
  await deleteLease(api, lease);
}

interface EndOptions {
  readonly env: OperatorEnv;
  readonly api: KubeClient;
  readonly log: Logger;
  /** A moment of the monotonic clock, by the share of the time that has passed then. */
  readonly at: (share: number) => number;
}

async function endSessions(
  { signal, assertHeld }: Leadership,
  { env, api: unguarded, log, at }: EndOptions,
): Promise<void> {
  const api = unguarded.with({ signal, guard: assertHeld });
  const recorder = new EventRecorder({
    api,
    controller: "millrace.dev/operator",
    instance: env.POD_NAME,
    onError: (error) => log.warn("an Event could not be written", { error }),
  });
  const { EDGE_URL: url = "", POOL: pool, WATCH_NAMESPACE: namespace } = env;
  const edge = new EdgeHttp({ url, pool, token: tokenFile(env.POOL_TOKEN_FILE) });
  const sessions = await listSessions(api, namespace);
  log.info("sessions of this operator", { sessions: sessions.length });
  const ends = await pauseRuns(sessions, { edge, log, clock, until: at(pauseShare), signal });
  const edgeAnswers = ![...ends.values()].includes("unknown");
  const clearing = { api, edge, recorder, log, clock, namespace, signal };
  const pods = await clearPods(sessions, {
    ...clearing,
    edgeAnswers,
    endsBy: at(pauseShare),
    until: at(1),
  });
  // One may have been made since the first look, as long as the operator still led.
  const all = await listSessions(api, namespace);
  await eachOf(all, (one) =>
    letGo(one, ends.get(one.metadata.uid) ?? "none", { api, edge, recorder }),
  );
  await recorder.flush();
  log.info("nothing of the operator runs any more", count(ends));
  if (pods.length > 0) log.warn("pods that are still there; their nodes may not answer", { pods });
}

/** None where the definition is gone. */
async function listSessions(
  api: KubeClient,
  namespace: string | undefined,
): Promise<readonly StoredSession[]> {
  try {
    return await listAll(api, sessionKind, { namespace });
  } catch (error) {
    if (isApiError(error, "not_found")) return [];
    throw error;
  }
}

function count(ends: ReadonlyMap<string, RunEnd>): Record<string, number> {
  const of = (end: RunEnd): number => [...ends.values()].filter((one) => one === end).length;
  return { runsPaused: of("waits"), runsOver: of("over"), runsNotReached: of("unknown") };
}
