import { ApiError } from "./api-error.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Informer } from "./informer.ts";
import { type Kind, type KubeObject, keyOf } from "./kind.ts";
import type { KubeClient } from "./kube-client.ts";
import type { Leadership } from "./leader-election.ts";
import type { WorkQueue } from "./work-queue.ts";

/** When a key wants to be looked at again, if nothing changes before. */
export type Requeue =
  | { readonly kind: "settled" }
  /** At this wall-clock time, Unix ms. One that has passed: as soon as the key's backoff permits. */
  | { readonly kind: "at"; readonly at: number }
  /** Something failed that another try may mend; with the key's backoff. */
  | { readonly kind: "retry"; readonly because: string };

export const settled: Requeue = { kind: "settled" };

export interface ReconcileContext {
  /** Bound to the leadership: its requests end with it, and none leaves after the lease ran out. */
  readonly api: KubeClient;
  /** Aborts when leading is over. */
  readonly signal: AbortSignal;
  /** Throws when it is, also before the signal could tell. For what does not go through `api`. */
  readonly assertHeld: () => void;
  /** The key is looked at again at this wall-clock time (Unix ms), whatever becomes of this look: a backoff may be longer. */
  readonly notAfter: (at: number) => void;
}

/** Told how reconciles went; metrics hang on it. */
export interface ReconcileObserver {
  readonly reconciled: (outcome: ReconcileOutcome, durationMs: number) => void;
}

type ReconcileOutcome = "settled" | "requeued" | "retried" | "failed" | "stopped";

/** What the operator's process starts: informers at once, the work only while it leads. */
export interface Controller {
  readonly name: string;
  readonly informers: readonly {
    readonly isSynced: boolean;
    run(signal: AbortSignal): Promise<void>;
  }[];
  /** Works until the leadership's signal aborts, and resolves when nothing is in hand any more. */
  lead(leadership: Leadership): Promise<void>;
}

interface ControllerOptions<T extends KubeObject> {
  readonly name: string;
  readonly api: KubeClient;
  /** The objects that are reconciled. */
  readonly primary: Informer<T, string>;
  /** Their children: a change of one queues its controlling owner. */
  readonly owned?: readonly Informer<KubeObject, string>[];
  /** Informers that `reconcile` reads and that queue nothing by themselves. */
  readonly read?: readonly Informer<KubeObject, string>[];
  readonly queue: WorkQueue;
  readonly workers: number;
  /** One key, level-based: what there is now against what is wanted. Throws when it failed; it is retried. */
  readonly reconcile: (key: string, context: ReconcileContext) => Promise<Requeue>;
  readonly onError?: (key: string, error: unknown, retryInMs: number) => void;
  readonly observer?: ReconcileObserver;
  readonly clock?: Clock;
}

export function makeController<T extends KubeObject>(options: ControllerOptions<T>): Controller {
  const { name, primary, owned = [], read = [], queue, workers } = options;
  primary.subscribe(({ object }) => queue.add(keyOf(object.metadata)));
  for (const informer of owned) {
    informer.subscribe(({ object }) => {
      const owner = keyOfOwner(object, primary.kind);
      if (owner !== undefined) queue.add(owner);
    });
  }
  return {
    name,
    informers: [primary, ...owned, ...read],
    async lead(leadership) {
      const { signal, assertHeld } = leadership;
      const api = options.api.with({ signal, guard: assertHeld });
      // What the last leader was in the middle of is not known: look at everything.
      for (const key of primary.cache.keys()) queue.add(key);
      const look = (key: string): Promise<void> => {
        const notAfter = (at: number): void => queue.addAt(key, at);
        return work(options, key, { api, signal, assertHeld, notAfter });
      };
      await queue.run(workers, look, signal);
    },
  };
}

async function work<T extends KubeObject>(
  options: ControllerOptions<T>,
  key: string,
  context: ReconcileContext,
): Promise<void> {
  const { queue, reconcile, observer, clock = systemClock } = options;
  const began = clock.monotonic();
  const done = (outcome: ReconcileOutcome): void =>
    observer?.reconciled(outcome, clock.monotonic() - began);
  try {
    done(schedule({ queue, clock }, key, await reconcile(key, context)));
  } catch (error) {
    if (context.signal.aborted) {
      done("stopped");
      return;
    }
    const atLeastMs = error instanceof ApiError ? error.retryAfterMs : undefined;
    const retryInMs = queue.retry(key, atLeastMs);
    done("failed");
    options.onError?.(key, error, retryInMs);
  }
}

function schedule(
  { queue, clock }: { readonly queue: WorkQueue; readonly clock: Clock },
  key: string,
  requeue: Requeue,
): ReconcileOutcome {
  switch (requeue.kind) {
    case "settled":
      queue.forget(key);
      return "settled";
    case "at":
      // It waits for what it has just done to reach the cache, which wakes it. At once, again and again, it would never
      // let the cache's own events in.
      if (requeue.at <= clock.now()) {
        queue.retry(key);
        return "requeued";
      }
      queue.forget(key);
      queue.addAt(key, requeue.at);
      return "requeued";
    case "retry":
      queue.retry(key);
      return "retried";
  }
}

/** The key of the controlling owner, if it is of this kind (whatever its version). */
function keyOfOwner(object: KubeObject, kind: Kind<KubeObject>): string | undefined {
  const owner = object.metadata.ownerReferences?.find((one) => one.controller);
  if (!owner || owner.kind !== kind.kind) return undefined;
  if (groupOf(owner.apiVersion) !== groupOf(kind.apiVersion)) return undefined;
  return keyOf({ namespace: object.metadata.namespace, name: owner.name });
}

const groupOf = (apiVersion: string): string =>
  apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
