import { type SessionRun, attemptLabel, secretLabel } from "@millrace/contracts";
import { isApiError } from "../kube/api-error.ts";
import type { KubeClient } from "../kube/kube-client.ts";
import { childName } from "./child-name.ts";
import { type Children, kinds } from "./children.ts";
import type { Facts, Job, OtherAttempt, Pod, Secret, StopBy, Warning } from "./facts.ts";
import { isPodOver, runnerEnd } from "./pod-facts.ts";
import { readPodLog } from "./pod-log.ts";
import { annotations } from "./resources/annotations.ts";
import type { Session } from "./session.ts";

const tailLines = 20;
const tailBytes = 2048;

export interface ObserveOptions {
  readonly api: KubeClient;
  readonly children: Children;
  readonly now: number;
  readonly run: SessionRun | undefined;
  readonly acked: ReadonlySet<string>;
}

/** Everything that is known about a session's current attempt. */
export async function observe(session: Session, options: ObserveOptions): Promise<Facts> {
  const { children, run, acked, now } = options;
  const secrets = children.secrets.cache.by("owner", session.metadata.uid);
  const known = session.status?.attempt ?? 0;
  const attempt = Math.max(known, 0, ...secrets.map(attemptOf));
  const { job, secret } = await attemptObjects(session, attempt, options);
  const pods = podsOf(session, children);
  const pod = await currentPod(session, attempt, pods, options);
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
    claim,
    run,
    acked,
    warnings: warningsOf(children, { job, pod, claim }),
    secretProblem: await secretProblemOf(session, options.api),
    isNamespaceTerminating: await isTerminating(session, options),
    stopBy: stopByOf(secret),
    others: othersOf(session, attempt, pods, children),
    logTail: await logTailOf(pod, options.api),
  };
}

export function attemptOf(object: { readonly metadata: Secret["metadata"] }): number {
  return Number(object.metadata.labels?.[attemptLabel] ?? 0);
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
function isOwn(object: Job | Secret | undefined, session: Session): boolean {
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
    return owner !== undefined && (jobs.size === 0 || jobs.has(owner.uid) || owner.kind === "Job");
  });
}

async function currentPod(
  session: Session,
  attempt: number,
  pods: readonly Pod[],
  { api }: ObserveOptions,
): Promise<Pod | undefined> {
  const ours = pods.filter((pod) => attemptOf(pod) === attempt);
  const found = ours.find((pod) => !isPodOver(pod)) ?? ours[0];
  if (found) return found;
  const { podName, attempt: known, endedAttempt = 0 } = session.status ?? {};
  if (podName === undefined || known !== attempt || attempt <= endedAttempt) return undefined;
  return api.get(kinds.pod, { namespace: session.metadata.namespace, name: podName });
}

function othersOf(
  session: Session,
  attempt: number,
  pods: readonly Pod[],
  { jobs, secrets }: Children,
): readonly OtherAttempt[] {
  const { uid } = session.metadata;
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
      };
    });
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

async function logTailOf(pod: Pod | undefined, api: KubeClient): Promise<string | undefined> {
  const end = runnerEnd(pod);
  if (!pod || !end || end.exitCode === 0) return undefined;
  const tail = await readPodLog(api, pod, { tailLines, limitBytes: tailBytes });
  return tail ?? end.message;
}
