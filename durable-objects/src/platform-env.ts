import type { LiveLogObject } from "./live-log/live-log-object.ts";
import type { OrgObject } from "./org/org-object.ts";
import type { PoolObject } from "./pool/pool-object.ts";
import type { QuotaVars } from "./quotas.ts";
import type { RunObject } from "./run/run-object.ts";
import type { StreamObject } from "./stream/stream-object.ts";
import type { SubscriptionsObject } from "./subscriptions/subscriptions-object.ts";
import type { ThreadObject } from "./thread/thread-object.ts";

/** What the dispatch queue carries. A message is a hint: the run object decides whether it still means anything. */
export interface DispatchMessage {
  readonly orgId: string;
  readonly runId: string;
  readonly attempt: number;
}

/**
 * What the webhook queue carries. A hint too: the delivery's row in D1, or the subscription's own row, says what is left to do.
 */
export type WebhookMessage = { readonly deliveryId: string } | { readonly wake: WakeMessage };

/** Which wake of which subscription is to be told to its receiver. */
export interface WakeMessage {
  readonly orgId: string;
  readonly subscriptionId: string;
  readonly generation: number;
}

/** Bindings and settings of the Worker, as wrangler.toml names them. Objects and edge share them. */
export interface PlatformEnv extends QuotaVars {
  readonly RUNS: DurableObjectNamespace<RunObject>;
  readonly THREADS: DurableObjectNamespace<ThreadObject>;
  readonly POOLS: DurableObjectNamespace<PoolObject>;
  readonly STREAMS: DurableObjectNamespace<StreamObject>;
  readonly ORGS: DurableObjectNamespace<OrgObject>;
  readonly LIVE_LOGS: DurableObjectNamespace<LiveLogObject>;
  readonly SUBSCRIPTIONS: DurableObjectNamespace<SubscriptionsObject>;
  readonly DB: D1Database;
  readonly ARCHIVES: R2Bucket;
  readonly DISPATCH: Queue<DispatchMessage>;
  readonly WEBHOOKS: Queue<WebhookMessage>;
  /** Signs run tokens, and the tokens of subscriptions' wakes. A secret. */
  readonly RUN_TOKEN_SECRET: string;
  /** Opens the default org's default pool to runners. A secret. */
  readonly POOL_TOKEN: string;
  /** Seals what is secret at rest: the signing secrets of webhooks and the signing keys of subscriptions. A secret; another one cannot open what this one sealed. */
  readonly SEALING_KEY: string;
  /** Bootstraps the default org's first API key. A secret. */
  readonly AGENT_API_KEY?: string;
  /** Comma-separated origins for CORS; unset: http(s)://localhost and 127.0.0.1 on any port. */
  readonly CORS_ORIGINS?: string;
  /** "off" leaves dispatch to the queue and the alarm; anything else also asks the pool at once. */
  readonly DISPATCH_FAST_PATH?: string;
  /** Lease of a claimed attempt in milliseconds; 30000 when unset. Heartbeats come at a third of it. */
  readonly LEASE_MS?: string;
  /** Milliseconds an unclaimed run waits before it fails with no_runner; 24 h when unset. */
  readonly START_DEADLINE_MS?: string;
  /** How long a long-poll of a stream waits for data, in milliseconds; 20000 when unset. */
  readonly LONG_POLL_MS?: string;
  /** How long one response of `live=sse` lasts before its client goes on in another, in milliseconds; 60000 when unset. */
  readonly SSE_LIFETIME_MS?: string;
  /** Milliseconds after its end at which the log of a run moves to R2; 10 min when unset. */
  readonly ARCHIVE_AFTER_MS?: string;
  /** Days for which archived logs are kept, for orgs that have no number of their own; for ever when unset. */
  readonly LOG_RETENTION_DAYS?: string;
  /** Attempts per run; 3 when unset. */
  readonly MAX_ATTEMPTS?: string;
  /** "on": webhooks may be sent to this machine, by http too. For development only. */
  readonly WEBHOOK_ALLOW_LOOPBACK?: string;
  /** Seconds between the tries of a webhook delivery, by comma; unset: nine tries in about 20 hours. */
  readonly WEBHOOK_RETRY_SECONDS?: string;
  /** Days for which the log of settled webhook deliveries is kept; 30 when unset. */
  readonly WEBHOOK_LOG_DAYS?: string;
  /** DNS over HTTPS (application/dns-json) by which the hosts of webhooks are resolved; Cloudflare's when unset. */
  readonly DOH_URL?: string;
}

/** The names under which objects live. Every name starts with the org: one tenant's id never opens another's object. */
export const objectNames = {
  run: (orgId: string, runId: string) => `${orgId}/${runId}`,
  thread: (orgId: string, projectId: string) => `${orgId}/${projectId}`,
  org: (orgId: string) => orgId,
  pool: (orgId: string, pool: string) => `${orgId}/${pool}`,
  liveLog: (orgId: string, runId: string, attempt: number, container: string) =>
    `${orgId}/${runId}/${attempt}/${container}`,
  subscriptions: (orgId: string) => orgId,
  stream: (orgId: string, name: string) => `${orgId}/${name}`,
} as const;
