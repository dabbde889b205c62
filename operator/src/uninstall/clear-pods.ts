import { type Logger, sessionLabel, warmPoolLabel } from "@millrace/contracts";
import { childName } from "../agentic-session/child-name.ts";
import { kinds } from "../agentic-session/children.ts";
import type { Pod } from "../agentic-session/facts.ts";
import { isPodOver } from "../agentic-session/pod-facts.ts";
import { attemptOf } from "../agentic-session/observe.ts";
import { type Session, type StoredSession, readSession } from "../agentic-session/session.ts";
import type { EdgeHttp } from "../edge/edge-http.ts";
import { type Clock, sleep } from "../kube/clock.ts";
import type { EventRecorder } from "../kube/event-recorder.ts";
import { type Kind, type KubeObject, keyOf } from "../kube/kind.ts";
import type { KubeClient, ListOptions, Page } from "../kube/kube-client.ts";
import { eachOf } from "./each-of.ts";
import { keepLogs } from "./keep-logs.ts";

export interface ClearOptions {
  readonly api: KubeClient;
  readonly edge: EdgeHttp;
  readonly recorder: EventRecorder;
  readonly log: Logger;
  readonly clock: Clock;
  /** Undefined: of all namespaces. */
  readonly namespace: string | undefined;
  /** Logs can be kept there, and runs handed back. */
  readonly edgeAnswers: boolean;
  /** Until when runners may end by themselves, by the monotonic clock. */
  readonly endsBy: number;
  /** Until when pods may go. */
  readonly until: number;
  readonly signal: AbortSignal;
}

const lookAgainMs = 1000;

/**
 * Takes away Jobs, pods and run tokens, the idle pods of the warm pool as well. A runner that still works hears SIGTERM,
 * and hands its run back. Answers the names of the pods that are still there when the time is up.
 */
export async function clearPods(
  sessions: readonly StoredSession[],
  options: ClearOptions,
): Promise<readonly string[]> {
  const { api, namespace } = options;
  const jobs = await listAll(api, kinds.job, { namespace, labelSelector: sessionLabel });
  if (options.edgeAnswers) {
    // A runner that has handed its run back, or stores its archive, ends by itself.
    const isWorking = (pod: Pod): boolean => isSessions(pod) && !isPodOver(pod);
    const until = options.endsBy;
    await untilNone("runners that have not ended yet", isWorking, { ...options, until });
  }
  const pods = await listPods(options);
  const areKept = options.edgeAnswers ? await keepLogs(sessions, pods, options) : undefined;
  await eachOf(jobs, async ({ metadata }) => void (await api.delete(kinds.job, metadata)));
  // A Job's pods go with it, but only when the garbage collector comes.
  await eachOf(pods, async ({ metadata }) => {
    if (metadata.deletionTimestamp === undefined) await api.delete(kinds.pod, metadata);
  });
  const left = await untilNone("pods that are still there", () => true, options);
  await areKept?.();
  await eachOf(sessions, (session) => deleteTokens(session, jobs, api));
  return left.map(({ metadata }) => keyOf(metadata));
}

const isSessions = ({ metadata }: Pod): boolean => metadata.labels?.[sessionLabel] !== undefined;

async function listPods({ api, namespace }: ClearOptions): Promise<readonly Pod[]> {
  const labels = [sessionLabel, warmPoolLabel];
  const lists = labels.map((labelSelector) =>
    listAll(api, kinds.pod, { namespace, labelSelector }),
  );
  const byUid = new Map((await Promise.all(lists)).flat().map((pod) => [pod.metadata.uid, pod]));
  return [...byUid.values()];
}

/** Of the attempts that may have one: a start that was stored and not begun has no Job yet. */
async function deleteTokens(
  stored: StoredSession,
  jobs: readonly KubeObject[],
  api: KubeClient,
): Promise<void> {
  const session: Session | undefined = readSession(stored);
  if (!session) return;
  const { uid, namespace, name } = session.metadata;
  const ours = jobs.filter(({ metadata }) =>
    metadata.ownerReferences?.some((owner) => owner.uid === uid),
  );
  const { attempt = 0 } = session.status ?? {};
  const attempts = new Set([attempt, attempt + 1, ...ours.map(attemptOf)]);
  for (const one of attempts) {
    await api.delete(kinds.secret, { namespace, name: childName(name, one) });
  }
}

/** Answers the pods of which this is still not so when the time is up. */
async function untilNone(
  what: string,
  isLeft: (pod: Pod) => boolean,
  options: ClearOptions & { readonly until: number },
): Promise<readonly Pod[]> {
  const { log, clock, until, signal } = options;
  for (let told = -1; ;) {
    const left = (await listPods(options)).filter(isLeft);
    if (left.length !== told) log.info(what, { pods: left.length });
    told = left.length;
    if (told === 0 || clock.monotonic() >= until) return left;
    await sleep(clock, lookAgainMs, signal);
    signal.throwIfAborted();
  }
}

/** Page by page, as it is now. */
export async function listAll<T extends KubeObject>(
  api: KubeClient,
  kind: Kind<T>,
  options: ListOptions,
): Promise<readonly T[]> {
  const items: T[] = [];
  for (let next: string | undefined = ""; next !== undefined;) {
    const page: Page<T> = await api.list(kind, {
      ...options,
      limit: 500,
      ...(next && { continue: next }),
    });
    items.push(...page.items);
    next = page.continue;
  }
  return items;
}
