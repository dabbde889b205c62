import type { Logger } from "@millrace/contracts";
import type { SpanExporter } from "@opentelemetry/sdk-trace";

/** A collector that is away for an hour is worth sixty lines. */
const quietMs = 60_000;

/** The exporter, with a line in the log when spans are lost; the SDK itself says nothing. */
export function tellFailures(exporter: SpanExporter, log: Logger): SpanExporter {
  let lost = 0;
  let toldAt = -Infinity;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        done(result);
        if (result.error === undefined) return;
        lost += spans.length;
        if (performance.now() - toldAt < quietMs) return;
        toldAt = performance.now();
        log.warn("spans could not be exported", { lost, error: result.error });
        lost = 0;
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  };
}
