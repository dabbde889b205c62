import type { V1Namespace } from "@kubernetes/client-node";
import { attemptLabel, sessionLabel } from "@millrace/contracts";
import { Informer, type ListWatch } from "../kube/informer.ts";
import { type KubeObject, type Stored, defineKind, keyOf } from "../kube/kind.ts";
import { byOwnerUid } from "../kube/object-cache.ts";
import type { Claim, Job, NetworkPolicy, Pod, Secret } from "./facts.ts";
import { annotations } from "./resources/annotations.ts";
import { type StoredSession, sessionKind } from "./session.ts";

/** Of an Event only what is read; it is written by others, so nothing in it is certain. */
interface WarningEvent extends KubeObject {
  readonly involvedObject?: {
    readonly namespace?: string;
    readonly name?: string;
    readonly uid?: string;
  };
  readonly reason?: string;
  readonly message?: string;
}

export const kinds = {
  job: defineKind<Job>("batch/v1", "Job", "jobs"),
  pod: defineKind<Pod>("v1", "Pod", "pods"),
  secret: defineKind<Secret>("v1", "Secret", "secrets"),
  claim: defineKind<Claim>("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
  policy: defineKind<NetworkPolicy>("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
  namespace: defineKind<Stored<V1Namespace>>("v1", "Namespace", "namespaces"),
  event: defineKind<WarningEvent>("v1", "Event", "events"),
} as const;

/** Everything that the operator keeps a copy of. */
export type Children = ReturnType<typeof makeChildren>;

export interface ChildrenOptions {
  readonly api: ListWatch;
  /** Undefined: all namespaces. */
  readonly namespace: string | undefined;
  readonly onError: (kind: string, error: unknown) => void;
  readonly onRelist: (kind: string) => void;
}

/** Under which session's name a child goes, in its namespace. */
const bySession = (object: KubeObject): readonly string[] => {
  const name = object.metadata.annotations?.[annotations.session];
  return name === undefined ? [] : [keyOf({ namespace: object.metadata.namespace, name })];
};

const byNotedRun = ({ metadata }: KubeObject): readonly string[] => [
  metadata.annotations?.[annotations.runId] ?? "",
];

/** Warnings about the object that an Event is about. */
const byRegarded = (event: WarningEvent): readonly string[] => [event.involvedObject?.uid ?? ""];

export function makeChildren({ api, namespace, onError, onRelist }: ChildrenOptions) {
  const of = (labelSelector: string) => ({ api, namespace, labelSelector });
  const watch = <T extends KubeObject, I extends string>(
    options: ConstructorParameters<typeof Informer<T, I>>[0],
  ) =>
    new Informer<T, I>({
      ...options,
      onError: (error) => onError(options.kind.kind, error),
      onRelist: () => onRelist(options.kind.kind),
    });
  const warnings = (fieldSelector: string) =>
    watch({
      api,
      namespace,
      kind: kinds.event,
      fieldSelector,
      // No bookmarks come for Events: the server ends the watch before its silence says anything.
      watchSeconds: 60,
      indexes: { regarded: byRegarded },
    });
  const informers = {
    sessions: watch<StoredSession, "run">({
      api,
      namespace,
      kind: sessionKind,
      indexes: { run: byRun },
    }),
    jobs: watch({ ...of(sessionLabel), kind: kinds.job, indexes: { owner: byOwnerUid } }),
    pods: watch({ ...of(sessionLabel), kind: kinds.pod, indexes: { session: bySession } }),
    secrets: watch({
      ...of(attemptLabel),
      kind: kinds.secret,
      indexes: { owner: byOwnerUid, run: byNotedRun },
    }),
    claims: watch({ ...of(sessionLabel), kind: kinds.claim, indexes: { session: bySession } }),
    warnings: [
      warnings("involvedObject.kind=Job,reason=FailedCreate"),
      warnings("involvedObject.kind=Pod,reason=FailedMount"),
      warnings("involvedObject.kind=Pod,reason=FailedAttachVolume"),
      warnings("involvedObject.kind=PersistentVolumeClaim,reason=ProvisioningFailed"),
    ],
  };
  const { warnings: told, ...others } = informers;
  const all = [...Object.values(others), ...told];
  return { ...informers, synced: Promise.all(all.map(({ synced }) => synced)) };
}

const byRun = (session: KubeObject): readonly string[] => {
  const runId = ((session as StoredSession).status as { readonly runId?: unknown } | undefined)
    ?.runId;
  return typeof runId === "string" ? [runId] : [];
};

/** Pods belong to Jobs, volumes may belong to nobody, Events to both: their session is found by its name on them. */
export function wakeByChildren(children: Children, wake: (key: string) => void): void {
  const wakeOwner = (object: KubeObject | undefined): void => {
    const [key] = object ? bySession(object) : [];
    if (key !== undefined) wake(key);
  };
  children.pods.subscribe(({ object }) => wakeOwner(object));
  children.claims.subscribe(({ object }) => wakeOwner(object));
  for (const informer of children.warnings) {
    informer.subscribe(({ object: { involvedObject } }) => {
      const { namespace, name = "" } = involvedObject ?? {};
      for (const { cache } of [children.jobs, children.pods, children.claims]) {
        wakeOwner(cache.get({ namespace, name }));
      }
    });
  }
}
