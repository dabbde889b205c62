import { z } from "zod";

/**
 * A W3C trace context, version 00: `00-<trace id>-<span id>-<flags>`, lower-case hex. An id of nothing but zeros is none.
 * What a later version adds behind the flags is left out, as the specification asks.
 */
const form =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

export const Traceparent = z.string().regex(form).max(55);
export type Traceparent = z.infer<typeof Traceparent>;

/** The parts of a trace context. */
export interface TraceContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly flags: number;
}

/** Undefined: this is none. */
export function parseTraceparent(text: string): TraceContext | undefined {
  const [whole, traceId, spanId, flags] = form.exec(text) ?? [];
  if (whole === undefined || traceId === undefined || spanId === undefined) return undefined;
  return { traceId, spanId, flags: Number.parseInt(flags ?? "00", 16) };
}

/**
 * The trace that a run belongs to: its creator's, when the request named one, else one of its own. That one is made
 * of the run's id, so that whoever knows the run finds its trace: the id without dashes.
 */
export function traceparentOf(runId: string, asked: string | undefined): Traceparent {
  const given = asked === undefined ? undefined : parseTraceparent(asked.trim());
  if (given) return `00-${given.traceId}-${given.spanId}-${given.flags & 1 ? "01" : "00"}`;
  const traceId = runId.replaceAll("-", "").toLowerCase();
  return `00-${traceId}-${traceId.slice(16)}-01`;
}
