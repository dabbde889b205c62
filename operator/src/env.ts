import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { PoolName, ProxySettings, proxySpellings } from "@millrace/contracts";
import { readTraceSettings, type TraceSettings } from "@millrace/telemetry";
import { z } from "zod";

const positive = (fallback: number) => z.coerce.number().int().positive().default(fallback);

const Knobs = z.object({
  KUBECONFIG: z
    .string()
    .optional()
    .describe("cluster to work in; without it the one this pod runs in"),
  WATCH_NAMESPACE: z
    .string()
    .optional()
    .describe("only sessions of this namespace; without it of all"),
  POD_NAME: z
    .string()
    .min(1)
    .default(hostname())
    .describe("this process in the Lease and in Events"),
  POD_NAMESPACE: z.string().min(1).default("default").describe("namespace of the Lease"),
  EDGE_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe("the edge whose runs become sessions; without it there are none"),
  POOL: PoolName.default("default").describe("the pool that this cluster serves"),
  POOL_TOKEN_FILE: z
    .string()
    .default("/run/millrace/pool/token")
    .describe("file with the pool's token; read again for each connection"),
  SESSION_SETTINGS_FILE: z
    .string()
    .default("/etc/millrace/sessions.json")
    .describe("what all sessions have in common, as JSON (operator/README.md)"),
  ...ProxySettings.shape,
  LEASE_NAME: z.string().min(1).default("millrace-operator").describe("one replica of it leads"),
  LEASE_SECONDS: positive(15).describe("a silent leader is replaced after this"),
  WORKERS: positive(10).describe("sessions reconciled at a time"),
  HTTP_HOST: z.string().min(1).default("0.0.0.0").describe("where the HTTP port listens"),
  HTTP_PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(8080)
    .describe("/healthz, /readyz, /metrics"),
  OPERATOR_DEPLOYMENT: z
    .string()
    .min(1)
    .optional()
    .describe("with uninstall: the operator's Deployment in POD_NAMESPACE, which is scaled to 0"),
  UNINSTALL_SECONDS: positive(180).describe(
    "with uninstall: time for runs to pause and pods to go",
  ),
  DRAIN_DEADLINE_MS: positive(20_000).describe("from SIGTERM to the end of the process"),
});

/** Everything that the operator was told from outside. */
export type OperatorEnv = z.output<typeof Knobs> & {
  /** Of this process in the Lease: unique also after a restart of the container. */
  readonly identity: string;
  /** Null: no spans are exported. */
  readonly tracing: TraceSettings | null;
};

export type EnvResult =
  | { readonly ok: true; readonly env: OperatorEnv }
  | { readonly ok: false; readonly problem: string };

/** Parses the environment. `KEY=` means "not set". Its only caller is the process. */
export function readEnv(raw: NodeJS.ProcessEnv): EnvResult {
  const told = { ...raw, ...proxySpellings(raw) };
  const set = Object.fromEntries(Object.entries(told).filter(([, value]) => value?.trim()));
  const knobs = Knobs.safeParse(set);
  if (!knobs.success) return { ok: false, problem: z.prettifyError(knobs.error) };
  const tracing = readTraceSettings(set, "millrace-operator");
  if (!tracing.ok) return tracing;
  const identity = `${knobs.data.POD_NAME}_${randomUUID()}`;
  return { ok: true, env: { ...knobs.data, identity, tracing: tracing.settings } };
}

/** What `--help` prints. */
export function describeEnv(): string {
  const knobs = Object.entries(Knobs.shape).map(([name, schema]) => {
    const fallback = schema.safeParse(undefined);
    const value = fallback.success ? (fallback.data ?? "not set") : "required";
    return `  ${name.padEnd(21)} ${schema.description ?? ""} (${String(value)})`;
  });
  return [
    "millrace operator: sessions of a Kubernetes cluster. The argument `uninstall` ends what it has running, so that it can",
    "be taken away: runs pause at the edge, pods go, sessions stay. Settings come from the environment:",
    "",
    ...knobs,
    `  ${"OTEL_EXPORTER_OTLP_…".padEnd(18)} where spans go: OpenTelemetry's own variables (nowhere)`,
    "",
  ].join("\n");
}
