import { parseTraceparent } from "@millrace/contracts";
import {
  type Attributes as OtelAttributes,
  type Context,
  ROOT_CONTEXT,
  type Span as OtelSpan,
  SpanKind,
  SpanStatusCode,
  type Tracer as OtelTracerApi,
  trace,
} from "@opentelemetry/api";
import type { Attributes, Span, Tracer } from "./tracer.ts";

type Start = Parameters<Tracer["span"]>[2];

/** The narrow interface of this house over OpenTelemetry's. Parents are handed on, not looked up in an async context. */
export class OtelTracer implements Tracer {
  readonly #tracer: OtelTracerApi;

  constructor(tracer: OtelTracerApi) {
    this.#tracer = tracer;
  }

  span(name: string, parent: string | null, start?: Start): Span {
    return startSpan(this.#tracer, name, contextOf(parent), start);
  }
}

class LiveSpan implements Span {
  readonly #tracer: OtelTracerApi;
  readonly #span: OtelSpan;

  constructor(tracer: OtelTracerApi, span: OtelSpan) {
    this.#tracer = tracer;
    this.#span = span;
  }

  child(name: string, start?: Start): Span {
    return startSpan(this.#tracer, name, trace.setSpan(ROOT_CONTEXT, this.#span), start);
  }

  set(attributes: Attributes): void {
    this.#span.setAttributes(known(attributes));
  }

  event(name: string, at?: number): void {
    this.#span.addEvent(name, {}, at);
  }

  end({ error, at }: Parameters<Span["end"]>[0] = {}): void {
    if (error !== undefined) {
      this.#span.setAttribute("error.type", error);
      this.#span.setStatus({ code: SpanStatusCode.ERROR });
    }
    this.#span.end(at);
  }
}

function startSpan(tracer: OtelTracerApi, name: string, parent: Context, start: Start = {}): Span {
  const options = {
    kind: start.kind === "client" ? SpanKind.CLIENT : SpanKind.INTERNAL,
    attributes: known(start.attributes ?? {}),
    ...(start.at !== undefined && { startTime: start.at }),
  };
  return new LiveSpan(tracer, tracer.startSpan(name, options, parent));
}

function contextOf(traceparent: string | null): Context {
  const parsed = traceparent === null ? undefined : parseTraceparent(traceparent);
  if (!parsed) return ROOT_CONTEXT;
  const { traceId, spanId, flags: traceFlags } = parsed;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}

function known(attributes: Attributes): OtelAttributes {
  const set = Object.entries(attributes).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, typeof value === "object" ? [...value] : value] as const],
  );
  return Object.fromEntries(set);
}
