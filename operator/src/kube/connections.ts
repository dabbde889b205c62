import type { RequestContext } from "@kubernetes/client-node";

type Dispatcher = NonNullable<ReturnType<RequestContext["getDispatcher"]>>;

/** Certificates of the cluster and of the client may be exchanged meanwhile. */
const keptForMs = 600_000;

/**
 * Connections that stay open between requests. client-node makes an agent for each request, so that each would begin
 * with a TLS handshake: several times the work of the request itself, on both sides.
 */
export class Connections {
  readonly #monotonic: () => number;
  #kept: { readonly dispatcher: Dispatcher; readonly since: number } | undefined;

  constructor(monotonic: () => number = () => performance.now()) {
    this.#monotonic = monotonic;
  }

  /** The agent that is in use, or after ten minutes this new one; what goes on over the old one may end there. */
  reuse(fresh: Dispatcher): Dispatcher {
    const now = this.#monotonic();
    const kept = this.#kept;
    if (kept && now - kept.since < keptForMs) return kept.dispatcher;
    const dispatcher = onlyHttp1(fresh);
    this.#kept = { dispatcher, since: now };
    if (kept) void kept.dispatcher.close().catch(() => undefined);
    return dispatcher;
  }
}

/** Over HTTP/2 all watches and requests would share one connection, and its silence. */
function onlyHttp1(dispatcher: Dispatcher): Dispatcher {
  return dispatcher.compose((dispatch) => (options, handler) => {
    const chosen: typeof options & { readonly allowH2: boolean } = { ...options, allowH2: false };
    return dispatch(chosen, handler);
  });
}
