import type { Redactor } from "@millrace/contracts";
import type { Pod } from "../agentic-session/facts.ts";
import { ApiError } from "../kube/api-error.ts";
import { type Clock, sleep } from "../kube/clock.ts";
import type { KubeClient } from "../kube/kube-client.ts";
import { LogWindow } from "./log-window.ts";
import { openLog } from "./open-log.ts";

export type ReadLog =
  | { readonly ok: true; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly ok: false; readonly why: string };

export interface ReadOptions {
  readonly container: string;
  /** To the container's end. */
  readonly follow: boolean;
  readonly redactor: Redactor;
  /** Of what is kept; asked at each piece. */
  readonly maxBytes: () => number;
  /** The log is open, or will not be: nothing written from now on is missed. Called once. */
  readonly onOpen: () => void;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

/** Kubelet may be starting anew, the API server may be replaced: a moment later it is there. */
const maxTries = 3;
const tryAgainMs = 500;
/** Beyond a pod's own time to end. */
const slackMs = 60_000;
const defaultGraceSeconds = 30;

/** A whole log, bounded and without secrets. A connection that breaks is opened again, and the log read from its beginning. */
export async function readLog(
  api: Pick<KubeClient, "request">,
  pod: Pod,
  options: ReadOptions,
): Promise<ReadLog> {
  const { clock } = options;
  const onOpen = once(options.onOpen);
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(longestMs(pod, options))]);
  let best: Try | undefined;
  for (let tries = 1; tries <= maxTries; tries += 1) {
    const tried = await tryRead(api, pod, { ...options, onOpen, signal });
    onOpen();
    if (tried.failure === undefined) return { ok: true, bytes: tried.window.bytes() };
    if (!best || tried.window.written >= best.window.written) best = tried;
    if (signal.aborted || isGone(tried.failure)) break;
    await sleep(clock, tryAgainMs, signal);
  }
  return halfRead(best);
}

/** The beginning of a log whose end is lost is worth more than nothing. */
function halfRead(best: Try | undefined): ReadLog {
  if (best && best.window.written > 0) return { ok: true, bytes: best.window.bytes() };
  const why = best?.failure instanceof Error ? best.failure.message : "it could not be read";
  return { ok: false, why };
}

interface Try {
  readonly window: LogWindow;
  /** Undefined: it was read to its end. */
  readonly failure: unknown;
}

async function tryRead(
  api: Pick<KubeClient, "request">,
  pod: Pod,
  options: ReadOptions,
): Promise<Try> {
  const window = new LogWindow(options.maxBytes);
  try {
    await readInto(window, api, pod, options);
    return { window, failure: undefined };
  } catch (error) {
    return { window, failure: error ?? new Error("it could not be read") };
  }
}

/** It has not started, or nothing of it is left: asking again finds the same. */
const isGone = (error: unknown): boolean =>
  error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429;

function longestMs({ metadata, spec }: Pod, { follow }: ReadOptions): number {
  if (!follow) return slackMs;
  const grace = metadata.deletionGracePeriodSeconds ?? spec?.terminationGracePeriodSeconds;
  return Math.max(grace ?? 0, defaultGraceSeconds) * 1000 + slackMs;
}

async function readInto(
  window: LogWindow,
  api: Pick<KubeClient, "request">,
  { metadata }: Pod,
  { container, follow, redactor, onOpen, signal }: ReadOptions,
): Promise<void> {
  const body = await openLog(api, metadata, { container, follow }, signal);
  onOpen();
  const decoder = new TextDecoder();
  const clean = redactor.stream();
  try {
    for await (const chunk of body)
      window.push(clean.push(decoder.decode(chunk, { stream: true })));
  } finally {
    window.push(clean.push(decoder.decode()) + clean.end());
  }
}

function once(act: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    act();
  };
}
