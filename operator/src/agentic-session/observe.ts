import { text } from "node:stream/consumers";
import {
  type SessionRun,
  attemptLabel,
  makeRedactor,
  secretLabel,
  sessionPod,
} from "@millrace/contracts";
import { ApiError, isApiError } from "../kube/api-error.ts";
import type { KubeClient } from "../kube/kube-client.ts";
import { type Keeping, keepingOf } from "../session-logs/keeping.ts";
import { childName } from "./child-name.ts";
import { type Children, kinds } from "./children.ts";
import type { Facts, Job, OtherAttempt, Pod, Secret, StopBy, Warning } from "./facts.ts";
import { isAdopted, isPodOver, runnerEnd } from "./pod-facts.ts";
import { openLog } from "../session-logs/open-log.ts";
import { annotations } from "./resources/annotations.ts";
import { type Session, readSession } from "./session.ts";

const tailLines = 20;
const tailBytes = 2048;

export interface ObserveOptions {
  readonly api: KubeClient;
  readonly children: Children;
  readonly now: number;
  readonly run: SessionRun | undefined;
  readonly acked: ReadonlySet<string>;
  /** What must not be shown of what its pod has written. */
  readonly hiddenValues: (session: Session, attempt: number) => Promise<readonly string[]>;
  /** What the keeper of logs knows of an attempt of this session. */
  readonly keeping: (attempt: number, pod: Pod | undefined) => Keeping | undefined;
}

/** Everything that is known about a session's current attempt. */
export async function observe(session: Session, options: ObserveOptions): Promise<Facts> {
  const { children, run, acked, now } = options;
  const secrets = children.secrets.cache.by("owner", session.metadata.uid);
  const known = session.status?.attempt ?? 0;
  const attempt = Math.max(known, 0, ...secrets.map(attemptOf));
  // Before anything is waited for: an attempt that is asked for meanwhile would be taken for one that is left over.
  const pods = podsOf(session, children);
  const others = othersOf(session, attempt, pods, options);
  const { job, secret } = await attemptObjects(session, attempt, options);
  const warmPod = warmPodOf(session, attempt, secret);
  const ours = pods.filter((one) => attemptOf(one) === attempt);
  const isStale = (one: Pod) => isAdopted(one) && one.metadata.name !== warmPod;
  const pod = await currentPod(
    session,
    { attempt, warmPod, pods: ours.filter((one) => !isStale(one)) },
    options,
  );
  const claim = children.claims.cache.get({
    namespace: session.metadata.namespace,
    name: childName(session.metadata.name, "files"),
  });
  return {
    now,
    session,
    attempt,
    secret,
    job,
    pod,
    warmPod,
    stalePod: ours.find(isStale),
    claim,
    run,
    acked,
    warnings: warningsOf(children, { job, pod, claim }),
    secretProblem: await secretProblemOf(session, options.api),
    isNamespaceTerminating: await isTerminating(session, options),
    stopBy: stopByOf(secret),
    others,
    logTail: await logTailOf({ session, attempt, pod }, options),
    logs: logsOf({ session, attempt, pod }, options),
  };
}

export function attemptOf(object: { readonly metadata: Secret["metadata"] }): number {
  return Number(object.metadata.labels?.[attemptLabel] ?? 0);
}

/** The session that executes a run, and the pod of an attempt, as the caches have them; undefined: no such session. */
export function findAttempt(
  children: Children,
  runId: string,
  attempt: number,
): { readonly session: Session; readonly pod: Pod | undefined } | undefined {
  const [stored] = children.sessions.cache.by("run", runId);
  const session = stored && readSession(stored);
  if (!session) return undefined;
  const pods = podsOf(session, children).filter((one) => attemptOf(one) === attempt);
  return { session, pod: pods.find((one) => !isPodOver(one)) ?? pods[0] };
}

/** A cache may lag behind what this operator wrote itself: that something is gone is asked of the API server. */
async function attemptObjects(session: Session, attempt: number, options: ObserveOptions) {
  if (attempt === 0) return { job: undefined, secret: undefined };
  const { api, children } = options;
  const ref = {
    namespace: session.metadata.namespace,
    name: childName(session.metadata.name, attempt),
  };
  const isStarted = session.status?.attempt === attempt;
  const isOver = attempt <= (session.status?.endedAttempt ?? 0);
  const asks = isStarted && !isOver;
  const job = children.jobs.cache.get(ref) ?? (asks ? await api.get(kinds.job, ref) : undefined);
  const secret =
    children.secrets.cache.get(ref) ?? (asks ? await api.get(kinds.secret, ref) : undefined);
  return { job: ownJob(job, session), secret: ownSecret(secret, session) };
}

const ownJob = (job: Job | undefined, session: Session) => (isOwn(job, session) ? job : undefined);
const ownSecret = (secret: Secret | undefined, session: Session) =>
  isOwn(secret, session) ? secret : undefined;

/** An object of this name may be somebody else's, or of an earlier session of the name. */
function isOwn(object: Job | Pod | Secret | undefined, session: Session): boolean {
  const owners = object?.metadata.ownerReferences ?? [];
  return owners.some(({ uid, controller }) => controller && uid === session.metadata.uid);
}

function podsOf(session: Session, children: Children): readonly Pod[] {
  const { namespace, name } = session.metadata;
  const jobs = new Set(
    children.jobs.cache.by("owner", session.metadata.uid).map(({ metadata }) => metadata.uid),
  );
  return children.pods.cache.by("session", `${namespace}/${name}`).filter(({ metadata }) => {
    const owner = metadata.ownerReferences?.find(({ controller }) => controller);
    // Without its Job in the cache a pod of this name is still ours: nobody else makes such.
    if (owner?.uid === session.metadata.uid) return true;
    return owner !== undefined && (jobs.size === 0 || jobs.has(owner.uid) || owner.kind === "Job");
  });
}

/** The Secret says who executes the attempt; without it, what was done. */
function warmPodOf(
  { status }: Session,
  attempt: number,
  secret: Secret | undefined,
): string | undefined {
  if (secret) return secret.metadata.annotations?.[annotations.warmPod];
  return status?.attempt === attempt ? status.warmPod : undefined;
}

interface PodSearch {
  readonly attempt: number;
  readonly warmPod: string | undefined;
  /** Candidates in the cache. */
  readonly pods: readonly Pod[];
}

async function currentPod(
  session: Session,
  { attempt, warmPod, pods }: PodSearch,
  { api }: ObserveOptions,
): Promise<Pod | undefined> {
  const found = pods.find((pod) => !isPodOver(pod)) ?? pods[0];
  const name = namedPod(session, attempt, warmPod);
  if (found || name === undefined) return found;
  const pod = await api.get(kinds.pod, { namespace: session.metadata.namespace, name });
  // A warm pod that could not be adopted is nobody's, or another's.
  const isForeign = warmPod !== undefined && !isOwn(pod, session);
  return isForeign ? undefined : pod;
}

/** The pod of an attempt that is under way, as the status knows it. */
function namedPod({ status = {} }: Session, attempt: number, warmPod: string | undefined) {
  const { attempt: known, endedAttempt = 0 } = status;
  const isUnderWay = known === attempt && attempt > endedAttempt && status.warmPod === warmPod;
  return isUnderWay ? status.podName : undefined;
}

function othersOf(
  session: Session,
  attempt: number,
  pods: readonly Pod[],
  options: ObserveOptions,
): readonly OtherAttempt[] {
  const { uid } = session.metadata;
  const { jobs, secrets } = options.children;
  const left = [...jobs.cache.by("owner", uid), ...secrets.cache.by("owner", uid), ...pods].map(
    attemptOf,
  );
  const numbers = [...new Set(left)].filter((one) => one > 0 && one !== attempt);
  return numbers
    .toSorted((a, b) => a - b)
    .map((one) => {
      const pod = pods.find((candidate) => attemptOf(candidate) === one);
      return {
        attempt: one,
        podName: pod?.metadata.name,
        isAlive: pod !== undefined && !isPodOver(pod),
        logs: logsOf({ session, attempt: one, pod }, options),
      };
    });
}

/** Nothing is kept of a session that wants nothing kept. */
function logsOf(
  { session, attempt, pod }: Pick<Facts, "session" | "attempt" | "pod">,
  { keeping }: ObserveOptions,
): Keeping {
  if (session.spec.retention.logs === 0) return { kind: "nothing" };
  return keepingOf(pod, keeping(attempt, pod));
}

function warningsOf(children: Children, about: Pick<Facts, "job" | "pod" | "claim">) {
  return (["job", "pod", "claim"] as const).flatMap((kind): readonly Warning[] => {
    const uid = about[kind]?.metadata.uid;
    if (uid === undefined) return [];
    const events = children.warnings.flatMap(({ cache }) => cache.by("regarded", uid));
    return events.map(({ reason = "", message = "" }) => ({ about: kind, reason, note: message }));
  });
}

/** Asked while there is no pod: once there is one, kubelet says what is missing. */
async function secretProblemOf(session: Session, api: KubeClient): Promise<string | undefined> {
  if (session.status?.podName !== undefined) return undefined;
  const { namespace } = session.metadata;
  for (const name of session.spec.secretRefs ?? []) {
    const secret = await api.get(kinds.secret, { namespace, name });
    if (!secret) return `Secret ${name} is not there`;
    if (secret.metadata.labels?.[secretLabel] !== "true") {
      return `Secret ${name} is not labelled ${secretLabel}=true`;
    }
  }
  return undefined;
}

/** Only asked when something is about to be made, or has just gone. */
async function isTerminating(session: Session, { api }: ObserveOptions): Promise<boolean> {
  if (session.metadata.deletionTimestamp === undefined) return false;
  try {
    const namespace = await api.get(kinds.namespace, { name: session.metadata.namespace });
    return namespace?.metadata.deletionTimestamp !== undefined;
  } catch (error) {
    // With a Role of one namespace alone this may not be asked, and no deletion waits for it.
    if (isApiError(error, "forbidden")) return false;
    throw error;
  }
}

function stopByOf(secret: Secret | undefined): StopBy | undefined {
  const by = secret?.metadata.annotations?.[annotations.stopBy];
  return by === "cancel" || by === "stop" || by === "fence" ? by : undefined;
}

async function logTailOf(
  { session, attempt, pod }: Pick<Facts, "session" | "attempt" | "pod">,
  { api, hiddenValues }: ObserveOptions,
): Promise<string | undefined> {
  const end = runnerEnd(pod);
  if (!pod || !end || end.exitCode === 0) return undefined;
  const tail = (await readTail(pod, api)) ?? end.message;
  if (tail === undefined) return undefined;
  return makeRedactor(await hiddenValues(session, attempt)).text(tail);
}

/** Undefined: kubelet has removed it, the node is gone, or the container never started. Throws when nobody could say. */
async function readTail({ metadata }: Pod, api: KubeClient): Promise<string | undefined> {
  const { container } = sessionPod;
  try {
    const body = await openLog(api, metadata, { container, tailLines, limitBytes: tailBytes });
    return await text(body);
  } catch (error) {
    if (error instanceof ApiError && error.status !== 0 && error.status !== 429) return undefined;
    throw error;
  }
}
