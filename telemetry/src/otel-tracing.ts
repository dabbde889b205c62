import { setTimeout as sleep } from "node:timers/promises";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { CompressionAlgorithm } from "@opentelemetry/otlp-exporter-base";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TracerProvider,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace";
import { OtelTracer } from "./otel-tracer.ts";
import type { TraceSettings } from "./trace-settings.ts";
import { tellFailures } from "./tell-failures.ts";
import type { Tracing, TracingProcess } from "./tracing.ts";

const stopMs = 2_000;

/** Spans over OTLP/HTTP, in batches from a bounded queue: one that finds it full is dropped. */
export function makeOtelTracing(settings: TraceSettings, process: TracingProcess): Tracing {
  const { url, headers, timeoutMs, compression, batch } = settings;
  const { log, version, instance } = process;
  const exporter = new OTLPTraceExporter({
    url,
    headers: { ...headers },
    timeoutMillis: timeoutMs,
    compression: compression === "gzip" ? CompressionAlgorithm.GZIP : CompressionAlgorithm.NONE,
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      "service.version": version,
      "service.instance.id": instance,
      ...settings.resource,
    }),
    sampler: makeSampler(settings.sampler),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: tellFailures(exporter, log),
        maxQueueSize: batch.queueSize,
        maxExportBatchSize: batch.size,
        scheduledDelayMillis: batch.delayMs,
        exportTimeoutMillis: batch.timeoutMs,
      }),
    ],
  });
  return {
    tracer: new OtelTracer(provider.getTracer("millrace")),
    stop: () => stopWithin(() => provider.shutdown(), log),
  };
}

function makeSampler({ kind, ratio, followsParent }: TraceSettings["sampler"]): Sampler {
  const root = makeRoot(kind, ratio);
  return followsParent ? new ParentBasedSampler({ root }) : root;
}

function makeRoot(kind: TraceSettings["sampler"]["kind"], ratio: number): Sampler {
  switch (kind) {
    case "always_on":
      return new AlwaysOnSampler();
    case "always_off":
      return new AlwaysOffSampler();
    case "traceidratio":
      return new TraceIdRatioBasedSampler(ratio);
  }
}

async function stopWithin(
  shutdown: () => Promise<void>,
  log: TracingProcess["log"],
): Promise<void> {
  const late = new AbortController();
  const inTime = shutdown().then(
    () => true,
    // It was told when the export failed.
    () => true,
  );
  const waited = sleep(stopMs, false, { signal: late.signal }).catch(() => false);
  if (!(await Promise.race([inTime, waited]))) log.warn("the last spans were not exported in time");
  late.abort();
}
