import { ApiError } from "../kube/api-error.ts";
import { type Kind, type KubeObject, keyOf } from "../kube/kind.ts";
import type { Page, PageOptions, WatchEvent, WatchOptions } from "../kube/kube-client.ts";

interface Watcher {
  readonly kind: string;
  readonly options: WatchOptions;
  readonly queue: (WatchEvent<KubeObject> | ApiError | "end")[];
  wake: () => void;
}

/**
 * List and watch as the API server does them: versions, bookmarks, pages, a history that can be
 * forgotten. Only for what a real server will not do on demand; the rest is tested on a real one.
 */
export class FakeApi {
  readonly lists: PageOptions[] = [];
  readonly watches: WatchOptions[] = [];
  /** The next list or watch fails with these, in turn. */
  readonly failures: Error[] = [];
  readonly #objects = new Map<string, KubeObject>();
  readonly #watchers = new Set<Watcher>();
  #version = 0;
  #history: WatchEvent<KubeObject>[] = [];

  put(object: KubeObject): void {
    const key = `${object.kind}/${keyOf(object.metadata)}`;
    const type = this.#objects.has(key) ? "MODIFIED" : "ADDED";
    this.#objects.set(key, object);
    this.#publish({ type, object });
  }

  remove(object: KubeObject): void {
    this.#objects.delete(`${object.kind}/${keyOf(object.metadata)}`);
    this.#publish({ type: "DELETED", object });
  }

  bookmark(version: number): void {
    this.#version = version;
    for (const { kind, queue, wake } of this.#watchers) {
      const metadata = { resourceVersion: String(version) };
      queue.push({ type: "BOOKMARK", object: { kind, metadata } as unknown as KubeObject });
      wake();
    }
  }

  /** Ends all watches, as a server does in the end: politely, or with an error. */
  endWatches(how: ApiError | "end" = "end"): void {
    for (const { queue, wake } of this.#watchers) {
      queue.push(how);
      wake();
    }
  }

  /** As after a compaction: a watch from before now is answered by 410. */
  forget(): void {
    this.#history = [];
  }

  get openWatches(): number {
    return this.#watchers.size;
  }

  async list<T extends KubeObject>(kind: Kind<T>, options: PageOptions): Promise<Page<T>> {
    this.lists.push(options);
    this.#failMaybe();
    const all = [...this.#objects.values()].filter((object) => object.kind === kind.kind);
    const from = Number(options.continue ?? 0);
    const to = from + (options.limit ?? all.length);
    return {
      items: all.slice(from, to) as unknown as T[],
      resourceVersion: String(this.#version),
      continue: to < all.length ? String(to) : undefined,
    };
  }

  async *watch<T extends KubeObject>(
    kind: Kind<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>> {
    this.watches.push(options);
    this.#failMaybe();
    const watcher = this.#open(kind.kind, options);
    const onAbort = (): void => watcher.wake();
    options.signal.addEventListener("abort", onAbort);
    try {
      for (;;) {
        options.signal.throwIfAborted();
        const event = watcher.queue.shift();
        if (event === "end") return;
        if (event instanceof Error) throw event;
        if (event) yield event as WatchEvent<T>;
        else await new Promise<void>((resolve) => (watcher.wake = resolve));
      }
    } finally {
      options.signal.removeEventListener("abort", onAbort);
      this.#watchers.delete(watcher);
    }
  }

  #open(kind: string, options: WatchOptions): Watcher {
    const since = Number(options.resourceVersion);
    const missed = this.#history.filter((event) => versionOf(event) > since);
    if (since < this.#version && missed.length === 0) throw gone();
    const queue = missed.filter((event) => event.object.kind === kind);
    const watcher: Watcher = { kind, options, queue, wake: () => undefined };
    this.#watchers.add(watcher);
    return watcher;
  }

  #publish(event: WatchEvent<KubeObject>): void {
    this.#version = Math.max(this.#version, versionOf(event));
    this.#history.push(event);
    for (const watcher of this.#watchers) {
      if (watcher.kind !== event.object.kind) continue;
      watcher.queue.push(event);
      watcher.wake();
    }
  }

  #failMaybe(): void {
    const failure = this.failures.shift();
    if (failure) throw failure;
  }
}

const versionOf = (event: WatchEvent<KubeObject>): number =>
  Number(event.object.metadata.resourceVersion);

export const gone = (): ApiError =>
  new ApiError({ status: 410, reason: "gone", message: "too old resource version" });
