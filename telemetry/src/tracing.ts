import type { Logger } from "@millrace/contracts";
import type { TraceSettings } from "./trace-settings.ts";
import { noTracer, type Tracer } from "./tracer.ts";

/** Where spans go, and how what is left of them goes out at the end. */
export interface Tracing {
  readonly tracer: Tracer;
  /** Sends what is waiting, for at most two seconds. Never rejects. */
  stop(): Promise<void>;
}

/** Of what is said about the process that makes the spans. */
export interface TracingProcess {
  readonly version: string;
  /** Unique among those that run at the same time. */
  readonly instance: string;
  readonly log: Logger;
}

const noTracing: Tracing = { tracer: noTracer, stop: () => Promise.resolve() };

/**
 * Starts the export of spans; without settings there are none. The OpenTelemetry packages take a fifth of a second to
 * load, so that only those who export wait for them. Never rejects: no work hangs on its traces.
 */
export async function startTracing(
  settings: TraceSettings | null,
  process: TracingProcess,
): Promise<Tracing> {
  if (settings === null) return noTracing;
  try {
    const { makeOtelTracing } = await import("./otel-tracing.ts");
    return makeOtelTracing(settings, process);
  } catch (error) {
    process.log.error("spans are not exported", { error });
    return noTracing;
  }
}
