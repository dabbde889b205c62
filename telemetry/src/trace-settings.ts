import { z } from "zod";

/** How spans are exported. */
export interface TraceSettings {
  /** Where batches are posted. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Of one batch, all its tries together. */
  readonly timeoutMs: number;
  readonly compression: "gzip" | "none";
  /** What is said of the process that made the spans. */
  readonly resource: Readonly<Record<string, string>>;
  readonly sampler: {
    readonly kind: "always_on" | "always_off" | "traceidratio";
    /** Of `traceidratio`, from 0 to 1. */
    readonly ratio: number;
    /** What the run's trace says about being recorded wins. */
    readonly followsParent: boolean;
  };
  readonly batch: {
    readonly queueSize: number;
    readonly size: number;
    readonly delayMs: number;
    readonly timeoutMs: number;
  };
}

export type TraceSettingsResult =
  | { readonly ok: true; readonly settings: TraceSettings | null }
  | { readonly ok: false; readonly problem: string };

const positive = (fallback: number) => z.coerce.number().int().positive().default(fallback);
const Url = z.url({ protocol: /^https?$/ });
const Compression = z.enum(["gzip", "none"]);

/** `name=value,name=value` with percent-encoded values, as in W3C Baggage. */
const Pairs = z.string().transform((text, context) => {
  const pairs: Record<string, string> = {};
  for (const part of text.split(",").filter((one) => one.trim() !== "")) {
    const at = part.indexOf("=");
    const name = part.slice(0, at).trim();
    const value = at < 1 ? undefined : decode(part.slice(at + 1).trim());
    if (value === undefined || name === "") {
      // The text is not quoted: headers hold keys.
      context.addIssue({ code: "custom", message: "expected name=value,name=value" });
      return z.NEVER;
    }
    pairs[name] = value;
  }
  return pairs;
});

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

const endpoints = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

/**
 * The standard variables of OpenTelemetry that are understood. Those with TRACES in them win over those without. Made when
 * it is needed: the start of a runner that exports nothing is not to wait for it.
 */
const makeKnobs = () =>
  z.object({
    OTEL_SDK_DISABLED: z.stringbool().default(false),
    OTEL_TRACES_EXPORTER: z.enum(["otlp", "none"]).default("otlp"),
    OTEL_EXPORTER_OTLP_ENDPOINT: Url.optional(),
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: Url.optional(),
    OTEL_EXPORTER_OTLP_HEADERS: Pairs.default({}),
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: Pairs.default({}),
    OTEL_EXPORTER_OTLP_TIMEOUT: positive(10_000),
    OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: z.coerce.number().int().positive().optional(),
    OTEL_EXPORTER_OTLP_COMPRESSION: Compression.default("none"),
    OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: Compression.optional(),
    OTEL_SERVICE_NAME: z.string().optional(),
    OTEL_RESOURCE_ATTRIBUTES: Pairs.default({}),
    OTEL_TRACES_SAMPLER: z
      .enum([
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
      ])
      .default("parentbased_always_on"),
    OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(1),
    OTEL_BSP_SCHEDULE_DELAY: positive(5_000),
    OTEL_BSP_EXPORT_TIMEOUT: positive(30_000),
    OTEL_BSP_MAX_QUEUE_SIZE: positive(2_048),
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE: positive(512),
  });
type Knobs = z.output<ReturnType<typeof makeKnobs>>;

/**
 * Reads OpenTelemetry's environment variables; settings are null where nothing is to be exported. Bodies are always JSON,
 * which a collector takes at the port of OTLP/HTTP: `OTEL_EXPORTER_OTLP_PROTOCOL` is not looked at.
 */
export function readTraceSettings(
  raw: Readonly<Record<string, string | undefined>>,
  service: string,
): TraceSettingsResult {
  const set = Object.fromEntries(Object.entries(raw).filter(([, value]) => value?.trim()));
  const isAsked = endpoints.some((name) => set[name] !== undefined);
  if (!isAsked) return { ok: true, settings: null };
  const knobs = makeKnobs().safeParse(set);
  if (!knobs.success) return { ok: false, problem: z.prettifyError(knobs.error) };
  const { data } = knobs;
  const url = urlOf(data);
  const isOff = data.OTEL_SDK_DISABLED || data.OTEL_TRACES_EXPORTER === "none";
  if (isOff || url === undefined) return { ok: true, settings: null };
  return { ok: true, settings: { ...sendingOf(data), url, resource: resourceOf(data, service) } };
}

/** The signal's own address is taken as it is; the common one is a base. */
function urlOf(knobs: Knobs): string | undefined {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: base } = knobs;
  const own = knobs.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  return own ?? (base === undefined ? undefined : `${base.replace(/\/+$/, "")}/v1/traces`);
}

function sendingOf(knobs: Knobs): Omit<TraceSettings, "url" | "resource"> {
  const sampler = knobs.OTEL_TRACES_SAMPLER;
  return {
    headers: {
      ...knobs.OTEL_EXPORTER_OTLP_HEADERS,
      ...knobs.OTEL_EXPORTER_OTLP_TRACES_HEADERS,
    },
    timeoutMs: knobs.OTEL_EXPORTER_OTLP_TRACES_TIMEOUT ?? knobs.OTEL_EXPORTER_OTLP_TIMEOUT,
    compression:
      knobs.OTEL_EXPORTER_OTLP_TRACES_COMPRESSION ?? knobs.OTEL_EXPORTER_OTLP_COMPRESSION,
    sampler: {
      kind: sampler.replace("parentbased_", "") as TraceSettings["sampler"]["kind"],
      ratio: knobs.OTEL_TRACES_SAMPLER_ARG,
      followsParent: sampler.startsWith("parentbased_"),
    },
    batch: {
      queueSize: knobs.OTEL_BSP_MAX_QUEUE_SIZE,
      size: Math.min(knobs.OTEL_BSP_MAX_EXPORT_BATCH_SIZE, knobs.OTEL_BSP_MAX_QUEUE_SIZE),
      delayMs: knobs.OTEL_BSP_SCHEDULE_DELAY,
      timeoutMs: knobs.OTEL_BSP_EXPORT_TIMEOUT,
    },
  };
}

function resourceOf(knobs: Knobs, service: string): Readonly<Record<string, string>> {
  const asked = knobs.OTEL_RESOURCE_ATTRIBUTES;
  return { ...asked, "service.name": knobs.OTEL_SERVICE_NAME ?? asked["service.name"] ?? service };
}

/** Values that must appear in no log line, no event and no command's environment. */
export const secretsOfTracing = (settings: TraceSettings | null): readonly string[] =>
  Object.values(settings?.headers ?? {}).filter((value) => value !== "");
