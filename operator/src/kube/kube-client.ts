import {
  HttpMethod,
  IsomorphicFetchHttpLibrary,
  type KubeConfig,
  RequestContext,
  type ResponseContext,
} from "@kubernetes/client-node";
import { ApiError, readApiError } from "./api-error.ts";
import { Connections } from "./connections.ts";
import { type Draft, type Kind, type KubeObject, type Ref, pathOf } from "./kind.ts";
import { guardDispatcher } from "./guard-dispatcher.ts";
import { readLines } from "./read-lines.ts";

export interface Identity {
  readonly user: string;
  readonly groups?: readonly string[];
}

/** What all requests of a client have in common; `with` narrows it. */
export interface ClientOptions {
  /** Owner of the fields that `apply` sets; also named in `managedFields` for every other write. */
  readonly fieldManager: string;
  readonly timeoutMs?: number;
  /** Ends every request of this client. */
  readonly signal?: AbortSignal;
  /** Called right before a request's bytes leave; throws to keep it back. A leader checks its lease here. */
  readonly guard?: () => void;
  /** Act as somebody else (needs the verb `impersonate`). */
  readonly as?: Identity;
}

export interface ApiRequest {
  readonly method: HttpMethod;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  /** Beside the client's own. */
  readonly signal?: AbortSignal;
  /** Default of the client; 0 for a stream that lives long. */
  readonly timeoutMs?: number;
}

export interface ListOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

export interface PageOptions extends ListOptions {
  readonly limit?: number;
  readonly continue?: string | undefined;
  /** "0": whatever the server has in its cache; absent: the newest, read from etcd. */
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

const defaultTimeoutMs = 30_000;
const transport = new IsomorphicFetchHttpLibrary();

/**
 * The Kubernetes API without a generated method per kind. Every method throws `ApiError`
 * unless its text says otherwise.
 */
export class KubeClient {
  readonly #config: KubeConfig;
  readonly #options: ClientOptions;
  readonly #connections: Connections;

  constructor(config: KubeConfig, options: ClientOptions, connections = new Connections()) {
    this.#config = config;
    this.#options = options;
    this.#connections = connections;
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
    return new KubeClient(this.#config, narrowed, this.#connections);
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
    for await (const line of readLines(response.body.stream())) {
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
  async request(request: ApiRequest): Promise<ResponseContext> {
    const what = `${request.method} ${request.path}`;
    const context = await this.#prepare(request);
    this.#options.guard?.();
    let response: ResponseContext;
    try {
      response = await transport.send(context).toPromise();
    } catch (cause) {
      // Who ended it knows why; only what happened to the connection is news.
      this.#options.guard?.();
      this.#options.signal?.throwIfAborted();
      request.signal?.throwIfAborted();
      throw unreachable(what, cause);
    }
    if (response.httpStatusCode < 400) return response;
    const text = await response.body.text().catch(() => "");
    throw readApiError(response.httpStatusCode, parseOrText(text), what);
  }

  async #prepare(request: ApiRequest): Promise<RequestContext> {
    const server = this.#config.getCurrentCluster()?.server;
    if (!server) throw new Error("the kubeconfig names no cluster");
    const context = new RequestContext(
      `${server.replace(/\/$/, "")}${request.path}`,
      request.method,
    );
    for (const [name, value] of Object.entries(request.query ?? {})) {
      if (value !== undefined) context.setQueryParam(name, String(value));
    }
    context.setHeaderParam("Accept", "application/json");
    if (request.body !== undefined) {
      context.setHeaderParam("Content-Type", request.contentType ?? "application/json");
      context.setBody(JSON.stringify(request.body));
    }
    await this.#config.applySecurityAuthentication(context);
    this.#impersonate(context);
    const { guard } = this.#options;
    const fresh = context.getDispatcher();
    if (fresh) {
      const kept = this.#connections.reuse(fresh);
      context.setDispatcher(guard ? guardDispatcher(kept, guard) : kept);
    }
    context.setSignal(this.#signalOf(request));
    return context;
  }

  #impersonate(context: RequestContext): void {
    const { as } = this.#options;
    if (!as) return;
    context.setHeaderParam("Impersonate-User", as.user);
    // The transport has one value per header name; the API server reads each line of its own, so one group.
    const [group, ...more] = as.groups ?? [];
    if (more.length > 0) throw new Error("only one group can be impersonated");
    if (group) context.setHeaderParam("Impersonate-Group", group);
  }

  #signalOf(request: ApiRequest): AbortSignal {
    const timeoutMs = request.timeoutMs ?? this.#options.timeoutMs ?? defaultTimeoutMs;
    const signals = [this.#options.signal, request.signal].filter((one) => one !== undefined);
    return AbortSignal.any(timeoutMs > 0 ? [...signals, AbortSignal.timeout(timeoutMs)] : signals);
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
      return JSON.parse(await response.body.text()) as T;
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

function unreachable(what: string, cause: unknown): ApiError {
  const message = `${what}: ${cause instanceof Error ? cause.message : String(cause)}`;
  return new ApiError({ status: 0, reason: "unavailable", message }, { cause });
}

function readWatchError(object: unknown, what: string): ApiError {
  const code = (object as { readonly code?: number } | null)?.code ?? 0;
  return readApiError(code, object, what);
}

function parseOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text.trim().slice(0, 500) || undefined };
  }
}
