import {
  type HttpMethod,
  IsomorphicFetchHttpLibrary,
  type KubeConfig,
  RequestContext,
} from "@kubernetes/client-node";
import { ApiError, readApiError } from "./api-error.ts";
import { Connections } from "./connections.ts";
import { guardDispatcher } from "./guard-dispatcher.ts";

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

export interface ApiAnswer {
  readonly status: number;
  readonly text: () => Promise<string>;
  readonly bytes: () => AsyncIterable<Uint8Array>;
}

const defaultTimeoutMs = 30_000;
const none = new ReadableStream<Uint8Array>({ start: (controller) => controller.close() });
const fetching = new IsomorphicFetchHttpLibrary();

export interface TransportOptions {
  readonly connections?: Connections;
  /** Told of each answer, also of refusals; status 0: there was none. */
  readonly answered?: (method: HttpMethod, status: number) => void;
}

/** Sends requests to the cluster of a kubeconfig, as its user. Throws `ApiError` unless the answer is below 400. */
export class KubeTransport {
  readonly #config: KubeConfig;
  readonly #connections: Connections;
  readonly #answered: TransportOptions["answered"];

  constructor(config: KubeConfig, { connections, answered }: TransportOptions = {}) {
    this.#config = config;
    this.#connections = connections ?? new Connections();
    this.#answered = answered;
  }

  async send(request: ApiRequest, options: ClientOptions): Promise<ApiAnswer> {
    const what = `${request.method} ${request.path}`;
    const context = await this.#prepare(request, options);
    options.guard?.();
    let answer: ApiAnswer;
    try {
      answer = await sendPrepared(context);
    } catch (cause) {
      this.#answered?.(request.method, 0);
      // Who ended it knows why; only what happened to the connection is news.
      options.guard?.();
      options.signal?.throwIfAborted();
      request.signal?.throwIfAborted();
      throw unreachable(what, cause);
    }
    this.#answered?.(request.method, answer.status);
    if (answer.status < 400) return answer;
    const text = await answer.text().catch(() => "");
    throw readApiError(answer.status, parseOrText(text), what);
  }

  async #prepare(request: ApiRequest, options: ClientOptions): Promise<RequestContext> {
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
    context.setHeaderParam("User-Agent", options.fieldManager);
    if (request.body !== undefined) {
      context.setHeaderParam("Content-Type", request.contentType ?? "application/json");
      context.setBody(JSON.stringify(request.body));
    }
    await this.#config.applySecurityAuthentication(context);
    impersonate(context, options.as);
    const { guard } = options;
    const fresh = context.getDispatcher();
    if (fresh) {
      const kept = this.#connections.reuse(fresh);
      context.setDispatcher(guard ? guardDispatcher(kept, guard) : kept);
    }
    context.setSignal(signalOf(request, options));
    return context;
  }
}

/**
 * Straight over the kept connections: `fetch` around them, with its streams and copies, costs as much again as all that the
 * operator does for a request. Without settings for TLS client-node makes no dispatcher, and has only `fetch`.
 */
async function sendPrepared(context: RequestContext): Promise<ApiAnswer> {
  const dispatcher = context.getDispatcher();
  if (!dispatcher) return sendByFetch(context);
  const { origin, pathname, search } = new URL(context.getUrl());
  const body = context.getBody();
  const answer = await dispatcher.request({
    origin,
    path: `${pathname}${search}`,
    method: context.getHttpMethod(),
    headers: context.getHeaders(),
    signal: context.getSignal() ?? null,
    ...(typeof body === "string" && { body }),
  });
  return {
    status: answer.statusCode,
    text: () => answer.body.text(),
    bytes: () => answer.body,
  };
}

async function sendByFetch(context: RequestContext): Promise<ApiAnswer> {
  const { httpStatusCode, body } = await fetching.send(context).toPromise();
  return { status: httpStatusCode, text: () => body.text(), bytes: () => body.stream() ?? none };
}

function impersonate(context: RequestContext, as: Identity | undefined): void {
  if (!as) return;
  context.setHeaderParam("Impersonate-User", as.user);
  // The transport has one value per header name; the API server reads each line of its own, so one group.
  const [group, ...more] = as.groups ?? [];
  if (more.length > 0) throw new Error("only one group can be impersonated");
  if (group) context.setHeaderParam("Impersonate-Group", group);
}

function signalOf(request: ApiRequest, options: ClientOptions): AbortSignal {
  const timeoutMs = request.timeoutMs ?? options.timeoutMs ?? defaultTimeoutMs;
  const signals = [options.signal, request.signal].filter((one) => one !== undefined);
  return AbortSignal.any(timeoutMs > 0 ? [...signals, AbortSignal.timeout(timeoutMs)] : signals);
}

/** There was no answer, or not all of it. */
export function unreachable(what: string, cause: unknown): ApiError {
  const message = `${what}: ${cause instanceof Error ? cause.message : String(cause)}`;
  return new ApiError({ status: 0, reason: "unavailable", message }, { cause });
}

function parseOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text.trim().slice(0, 500) || undefined };
  }
}
