import { isApiError } from "./api-error.ts";
import { type BackoffOptions, backoffMs } from "./backoff.ts";
import { type Clock, sleep, systemClock } from "./clock.ts";
import { type Kind, type KubeObject, keyOf } from "./kind.ts";
import type { ListOptions, Page, PageOptions, WatchEvent, WatchOptions } from "./kube-client.ts";
import { type Index, ObjectCache } from "./object-cache.ts";

/** What an informer needs of the API; `KubeClient` has it. */
export interface ListWatch {
  list<T extends KubeObject>(kind: Kind<T>, options: PageOptions): Promise<Page<T>>;
  watch<T extends KubeObject>(kind: Kind<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>>;
}

export type Change<T> =
  | { readonly type: "added"; readonly object: T }
  | { readonly type: "updated"; readonly object: T; readonly previous: T }
  /** `object` is the last state seen, which after a relist may not be the last there was. */
  | { readonly type: "deleted"; readonly object: T };

export type Listener<T> = (change: Change<T>) => void;

export interface InformerOptions<T extends KubeObject, I extends string> extends ListOptions {
  readonly api: ListWatch;
  readonly kind: Kind<T>;
  readonly indexes?: Readonly<Record<I, Index<T>>>;
  /** What of an object is kept. The default drops `managedFields`, often half of it. */
  readonly keep?: (object: T) => T;
  readonly pageSize?: number;
  readonly backoff?: BackoffOptions;
  /** The server is asked to end each watch after 1 to 2 times this. */
  readonly watchSeconds?: number;
  /** A watch with no event and no bookmark (one a minute) for so long is taken for dead. */
  readonly silenceMs?: number;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** Told of every failure; the informer goes on by itself. */
  readonly onError?: (error: unknown) => void;
  /** Told of every full list after the first. */
  readonly onRelist?: () => void;
}

const leastWatchMs = 1000;

/**
 * A local copy of a collection, kept up to date by a watch. Nothing that happened stays unseen:
 * when the server no longer has the history (410), a new list is compared with the copy, and what
 * is missing in it is reported as deleted. An object deleted and created again under its name is
 * a delete and an add.
 */
export class Informer<T extends KubeObject, I extends string = never> {
  readonly kind: Kind<T>;
  readonly cache: ObjectCache<T, I>;
  readonly #options: InformerOptions<T, I>;
  readonly #clock: Clock;
  readonly #listeners = new Set<Listener<T>>();
  readonly #synced = Promise.withResolvers<void>();
  #isSynced = false;
  /** Where the next watch begins; undefined: list first. */
  #resourceVersion: string | undefined;
  /** The first list may come from the server's cache; after a 410 that cache is what was too old. */
  #listFrom: "0" | undefined = "0";
  #failures = 0;
  /** Lists after a 410 that no watch has yet gone on from. */
  #relists = 0;

  constructor(options: InformerOptions<T, I>) {
    this.kind = options.kind;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.cache = new ObjectCache(options.indexes ?? ({} as Record<I, Index<T>>));
  }

  /** Whether the cache has held the whole collection once; from then on it only lags behind. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** Resolves with the first full list. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** Calls the listener with everything in the cache, then with every change, in order. Returns what ends it. */
  subscribe(listener: Listener<T>): () => void {
    for (const object of this.cache.values()) listener({ type: "added", object });
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Lists and watches until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#resourceVersion === undefined) await this.#list(signal);
        await this.#watch(signal);
      } catch (error) {
        if (signal.aborted) return;
        await this.#recover(error, signal);
      }
    }
  }

  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    this.#failures += 1;
    if (isApiError(error, "gone")) {
      this.#resourceVersion = undefined;
      this.#listFrom = undefined;
      this.#relists += 1;
      // The history is gone for good, and the list is the remedy: worth a wait is one that failed, or that was none.
      if (this.#failures === 1 && this.#relists === 1) return;
    }
    this.#options.onError?.(error);
    const { backoff = { firstMs: 500, longestMs: 10_000 }, random } = this.#options;
    const inVain = Math.max(this.#failures, this.#relists);
    await sleep(this.#clock, backoffMs(backoff, inVain, random), signal);
  }

  /**
   * Takes over page by page. Kubernetes 1.36 answers version 0 out of its cache, whole, whatever the limit; only where that
   * cache is not filled yet the limit counts. Without a version the list is the newest there is, and comes in pages.
   */
  async #list(signal: AbortSignal): Promise<void> {
    const { api, kind, pageSize = 500, onRelist } = this.#options;
    if (this.#isSynced) onRelist?.();
    const missing = new Set(this.cache.keys());
    let page: Page<T> | undefined;
    do {
      page = await api.list(kind, {
        ...this.#selection(),
        limit: pageSize,
        signal,
        // A continue token carries its version; the server refuses both together.
        ...(page ? { continue: page.continue } : { resourceVersion: this.#listFrom }),
      });
      for (const object of page.items) {
        missing.delete(keyOf(object.metadata));
        this.#put(object);
      }
    } while (page.continue !== undefined);
    for (const key of missing) this.#remove(key);
    this.#resourceVersion = page.resourceVersion;
    this.#failures = 0;
    if (this.#isSynced) return;
    this.#isSynced = true;
    this.#synced.resolve();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { api, kind, watchSeconds = 240, random = Math.random } = this.#options;
    const silence = this.#watchSilence(signal);
    try {
      const events = api.watch(kind, {
        ...this.#selection(),
        resourceVersion: this.#resourceVersion ?? "",
        // Spread, so that not all informers of all replicas come back at the same moment.
        timeoutSeconds: Math.round(watchSeconds * (1 + random())),
        signal: silence.signal,
      });
      for await (const event of events) {
        silence.heard();
        this.#take(event);
      }
      silence.assertLived();
    } catch (error) {
      // Silence is not a failure of the server: the next watch begins where this one fell silent.
      if (!silence.signal.aborted || signal.aborted) throw error;
      this.#options.onError?.(error);
    } finally {
      silence.end();
    }
  }

  #take(event: WatchEvent<T>): void {
    const { metadata } = event.object;
    switch (event.type) {
      case "ADDED":
      case "MODIFIED":
        this.#put(event.object);
        break;
      case "DELETED":
        this.#removed(event.object);
        break;
      case "BOOKMARK":
        break;
    }
    // Only after the change was taken: a throwing listener must not lose it.
    this.#resourceVersion = metadata.resourceVersion;
    this.#failures = 0;
    this.#relists = 0;
  }

  #put(given: T): void {
    const object = (this.#options.keep ?? dropManagedFields)(given);
    const previous = this.cache.get(object.metadata);
    if (previous?.metadata.resourceVersion === object.metadata.resourceVersion) return;
    const isAnother = previous && previous.metadata.uid !== object.metadata.uid;
    if (isAnother) this.#remove(keyOf(previous.metadata));
    this.cache.set(object);
    this.#tell(
      previous && !isAnother ? { type: "updated", object, previous } : { type: "added", object },
    );
  }

  /** The event carries the last state of the object, newer than the cached one. */
  #removed(given: T): void {
    const object = (this.#options.keep ?? dropManagedFields)(given);
    const cached = this.cache.delete(keyOf(object.metadata));
    if (cached) this.#tell({ type: "deleted", object });
  }

  #remove(key: string): void {
    const object = this.cache.delete(key);
    if (object) this.#tell({ type: "deleted", object });
  }

  #tell(change: Change<T>): void {
    for (const listener of this.#listeners) listener(change);
  }

  #selection(): ListOptions {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    return { namespace, labelSelector, fieldSelector };
  }

  /** A connection can die without a word; then no error ever comes. */
  #watchSilence(outer: AbortSignal) {
    const silenceMs = this.#options.silenceMs ?? 150_000;
    const controller = new AbortController();
    const fire = (): void => controller.abort(new Error(`watch silent for ${silenceMs} ms`));
    let cancel = this.#clock.schedule(silenceMs, fire);
    let hasHeard = false;
    const began = this.#clock.monotonic();
    return {
      signal: AbortSignal.any([outer, controller.signal]),
      heard: (): void => {
        hasHeard = true;
        cancel();
        cancel = this.#clock.schedule(silenceMs, fire);
      },
      /** Somebody in between may answer in the server's place; to watch again at once would be a storm. */
      assertLived: (): void => {
        if (hasHeard || this.#clock.monotonic() - began >= leastWatchMs) return;
        throw new Error("a watch ended as soon as it had begun");
      },
      end: (): void => cancel(),
    };
  }
}

function dropManagedFields<T extends KubeObject>(object: T): T {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}
