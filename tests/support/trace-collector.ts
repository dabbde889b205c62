import { z } from "zod";
import { waitUntil } from "./wait-until.ts";
import { startReceiver } from "./webhook-receiver.ts";

/** OTLP's JSON encoding: ids are hex, 64-bit numbers are text. */
const Value = z.union([
  z.strictObject({ stringValue: z.string() }),
  z.strictObject({ intValue: z.union([z.int(), z.string()]) }),
  z.strictObject({ doubleValue: z.number() }),
  z.strictObject({ boolValue: z.boolean() }),
  z.strictObject({ arrayValue: z.object({ values: z.array(z.unknown()) }) }),
]);
const Attributes = z
  .array(z.strictObject({ key: z.string(), value: Value }))
  .transform((list) =>
    Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0] as unknown])),
  );
const UnixMs = z
  .string()
  .regex(/^\d+$/)
  .transform((nanos) => Number(BigInt(nanos) / 1_000_000n));

const Span = z.object({
  traceId: z.string().regex(/^[0-9a-f]{32}$/),
  spanId: z.string().regex(/^[0-9a-f]{16}$/),
  parentSpanId: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .optional(),
  name: z.string().min(1),
  kind: z.int(),
  startTimeUnixNano: UnixMs,
  endTimeUnixNano: UnixMs,
  attributes: Attributes,
  events: z.array(z.object({ name: z.string(), timeUnixNano: UnixMs })).default([]),
  status: z.object({ code: z.int().default(0), message: z.string().optional() }),
});
type Span = z.output<typeof Span>;

const Traces = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: Attributes }),
      scopeSpans: z.array(z.object({ spans: z.array(Span) })),
    }),
  ),
});

export interface CollectedSpan extends Span {
  /** Of the process that made it. */
  readonly service: unknown;
}

/** What stands at the other end of OTLP/HTTP: it takes spans, and refuses to understand what is none. */
export class TraceCollector {
  readonly url: string;
  readonly #receiver: Awaited<ReturnType<typeof startTraceReceiver>>;

  private constructor(receiver: Awaited<ReturnType<typeof startTraceReceiver>>) {
    this.url = receiver.url;
    this.#receiver = receiver;
  }

  static async start(): Promise<TraceCollector> {
    return new TraceCollector(await startTraceReceiver());
  }

  /** All that came, as it came: for what must not be in there. */
  get text(): string {
    return this.#receiver.received.map(({ body }) => body).join("\n");
  }

  spansOf(traceId: string): readonly CollectedSpan[] {
    return this.#receiver.received
      .flatMap(({ payload }) => payload.resourceSpans)
      .flatMap(({ resource, scopeSpans }) =>
        scopeSpans
          .flatMap(({ spans }) => spans)
          .map((span) => ({ ...span, service: resource.attributes["service.name"] })),
      )
      .filter((span) => span.traceId === traceId);
  }

  /** Until the trace has a span of this name, which is looked for again and again. */
  async untilSpan(traceId: string, name: string): Promise<CollectedSpan> {
    const find = () => this.spansOf(traceId).find((span) => span.name === name);
    await waitUntil(`the span ${name} of ${traceId}`, () => find() !== undefined);
    const span = find();
    if (!span) throw new Error(`the span ${name} is gone`);
    return span;
  }
}

const startTraceReceiver = () =>
  startReceiver(Traces, {
    status: 200,
    headers: { "content-type": "application/json" },
    body: "{}",
  });
