import type { RequestContext } from "@kubernetes/client-node";

type Dispatcher = NonNullable<ReturnType<RequestContext["getDispatcher"]>>;

/**
 * Calls `guard` at the last moment: the connection is there, the next thing is the request's bytes.
 * A check at the time of the call would be too early by a handshake, in which a process can be
 * frozen for long and go on with an answer that is no longer true.
 */
export function guardDispatcher(dispatcher: Dispatcher, guard: () => void): Dispatcher {
  return dispatcher.compose((dispatch) => (options, handler) => {
    const start = handler.onRequestStart?.bind(handler);
    handler.onRequestStart = (...args) => {
      guard();
      start?.(...args);
    };
    return dispatch(options, handler);
  });
}
