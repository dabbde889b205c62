import { HttpMethod, type KubeConfig } from "@kubernetes/client-node";
import { ApiError, readApiError } from "./api-error.ts";
import { type Draft, type Kind, type KubeObject, type Ref, pathOf } from "./kind.ts";
import {
  type ApiAnswer,
  type ApiRequest,
  type ClientOptions,
  KubeTransport,
  unreachable,
} from "./kube-transport.ts";
import { readLines } from "./read-lines.ts";

export interface ListOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

export interface PageOptions extends ListOptions {
  readonly limit?: number;
  readonly continue?: string | undefined;
  /** "0": whatever the server has in its cache, without regard to `limit`; absent: the newest there is. */
  readonly resourceVersion?: string | undefined;
  readonly signal?: AbortSignal;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
  /** Of the next page; undefined on the last. */
  readonly continue: string | undefined;
}

export interface WatchOptions extends ListOptions {
  readonly resourceVersion: string;
  /** The server ends the watch after this. */
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
}

export interface WatchEvent<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly object: T;
}

export interface DeleteOptions {
  /** Deletes only this incarnation of the name; another one is `conflict`. */
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly gracePeriodSeconds?: number;
  readonly propagation?: "Background" | "Foreground" | "Orphan";
}

export interface ApplyOptions {
  /** Take fields over from another manager. Default true: a controller owns what it applies. */
  readonly force?: boolean;
}

/**
 * The Kubernetes API without a generated method per kind. Every method throws `ApiError`
 * unless its text says otherwise.
 */
export class KubeClient {
  readonly #config: KubeConfig;
  readonly #options: ClientOptions;
  readonly #transport: KubeTransport;

  constructor(config: KubeConfig, options: ClientOptions, transport = new KubeTransport(config)) {
    this.#config = config;
    this.#options = options;
    this.#transport = transport;
  }

  /** The same connection with other manners. Signals and guards add up; the rest is replaced. */
  with(options: Partial<ClientOptions>): KubeClient {
    const { signal, guard } = this.#options;
    const guards = [guard, options.guard].filter((one) => one !== undefined);
    const signals = [signal, options.signal].filter((one) => one !== undefined);
    const narrowed = {
      ...this.#options,
      ...options,
      ...(signals.length > 0 && { signal: AbortSignal.any(signals) }),
      ...(guards.length > 0 && { guard: () => guards.forEach((check) => check()) }),
    };
    return new KubeClient(this.#config, narrowed, this.#transport);
  }

  /** The object as it is now in etcd, or undefined. */
  async get<T extends KubeObject>(kind: Kind<T>, ref: Ref): Promise<T | undefined> {
    try {
      return await this.#json<T>({ method: HttpMethod.GET, path: pathOf(kind, ref) });
    } catch (error) {
      if (error instanceof ApiError && error.reason === "not_found") return undefined;
      throw error;
    }
  }

  async list<T extends KubeObject>(kind: Kind<T>, options: PageOptions = {}): Promise<Page<T>> {
    const { namespace, signal, ...query } = options;
    const path = pathOf(kind, { namespace });
    const request = { method: HttpMethod.GET, path, query, ...(signal && { signal }) };
    const list = await this.#json<{ readonly metadata: Page<T>; readonly items: readonly T[] }>(
      request,
    );
    const { apiVersion, kind: name } = kind;
    return {
      // Items of a list come without these two.
      items: list.items.map((item) => ({ ...item, apiVersion, kind: name })),
      resourceVersion: list.metadata.resourceVersion,
      continue: list.metadata.continue || undefined,
    };
  }

  /** Changes after a resourceVersion, with bookmarks, until the server ends it. `gone`: list again. */
  async *watch<T extends KubeObject>(
    kind: Kind<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>> {
    const { namespace, signal, ...selection } = options;
    const path = pathOf(kind, { namespace });
    const query = { ...selection, watch: true, allowWatchBookmarks: true };
    const request = { method: HttpMethod.GET, path, query, signal, timeoutMs: 0 };
    const response = await this.request(request);
    for await (const line of readLines(response.bytes())) {
      const event = JSON.parse(line) as WatchEvent<T> | { readonly type: "ERROR"; object: unknown };
      if (event.type === "ERROR") throw readWatchError(event.object, `watch ${path}`);
      yield event;
    }
  }

  create<T extends KubeObject>(kind: Kind<T>, object: Draft<T>): Promise<T> {
    const path = pathOf(kind, { namespace: object.metadata.namespace });
    return this.#write({ method: HttpMethod.POST, path, body: withType(kind, object) });
  }

  /** Server-side apply: creates the object or makes these fields so; those left out since last time go. */
  apply<T extends KubeObject>(
    kind: Kind<T>,
    object: Draft<T>,
    options: ApplyOptions = {},
  ): Promise<T> {
    return this.#apply(pathOf(kind, object.metadata), withType(kind, object), options);
  }

  /**
   * Server-side apply of the status alone. `not_found` when the object is gone; `conflict` when it is another than the uid,
   * or at another version than the one, that the reference names.
   */
  applyStatus<T extends KubeObject & { readonly status?: unknown }>(
    kind: Kind<T>,
    ref: Ref & { readonly uid?: string; readonly resourceVersion?: string },
    status: NonNullable<T["status"]>,
    options: ApplyOptions = {},
  ): Promise<T> {
    const { name, namespace, uid, resourceVersion } = ref;
    const metadata = { name, namespace, uid, resourceVersion };
    const body = withType(kind, { metadata, status });
    return this.#apply(`${pathOf(kind, ref)}/status`, body, options);
  }

  /** JSON merge patch (RFC 7386). A resourceVersion inside its metadata makes it conditional. */
  patch<T extends KubeObject>(
    kind: Kind<T>,
    ref: Ref,
    patch: Readonly<Record<string, unknown>>,
    subresource?: "status" | "scale",
  ): Promise<T> {
    const path = subresource ? `${pathOf(kind, ref)}/${subresource}` : pathOf(kind, ref);
    const contentType = "application/merge-patch+json";
    return this.#write({ method: HttpMethod.PATCH, path, body: patch, contentType });
  }

  /** False when it was gone already. Dependents go in the background unless told otherwise. */
  async delete<T extends KubeObject>(
    kind: Kind<T>,
    ref: Ref,
    options: DeleteOptions = {},
  ): Promise<boolean> {
    const { uid, resourceVersion, gracePeriodSeconds, propagation = "Background" } = options;
    const preconditions = { uid, resourceVersion };
    const body = { preconditions, gracePeriodSeconds, propagationPolicy: propagation };
    try {
      await this.#json({ method: HttpMethod.DELETE, path: pathOf(kind, ref), body });
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.reason === "not_found") return false;
      throw error;
    }
  }

  /** Anything else (logs, eviction, tokens). Resolves with an answer below 400. */
  request(request: ApiRequest): Promise<ApiAnswer> {
    return this.#transport.send(request, this.#options);
  }

  #apply<T>(path: string, body: unknown, { force = true }: ApplyOptions): Promise<T> {
    const contentType = "application/apply-patch+yaml";
    return this.#write({ method: HttpMethod.PATCH, path, body, contentType, query: { force } });
  }

  #write<T>(request: ApiRequest): Promise<T> {
    const { fieldManager } = this.#options;
    return this.#json({ ...request, query: { ...request.query, fieldManager } });
  }

  async #json<T>(request: ApiRequest): Promise<T> {
    const response = await this.request(request);
    try {
      return JSON.parse(await response.text()) as T;
    } catch (cause) {
      this.#options.signal?.throwIfAborted();
      throw unreachable(`${request.method} ${request.path}`, cause);
    }
  }
}

const withType = (kind: Kind<KubeObject>, object: object): object => ({
  ...object,
  apiVersion: kind.apiVersion,
  kind: kind.kind,
});

function readWatchError(object: unknown, what: string): ApiError {
  const code = (object as { readonly code?: number } | null)?.code ?? 0;
  return readApiError(code, object, what);
}
