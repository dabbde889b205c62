export { noSpan, noTracer, within, type Attributes, type Span, type Tracer } from "./tracer.ts";
export { readTraceSettings, secretsOfTracing, type TraceSettings } from "./trace-settings.ts";
export { startTracing, type Tracing } from "./tracing.ts";
