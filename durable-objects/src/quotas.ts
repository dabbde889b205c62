import { quotaDefaults } from "@millrace/contracts";
import { z } from "zod";
import type { PlatformEnv } from "./platform-env.ts";

const Quota = (fallback: number) => z.coerce.number().int().positive().default(fallback);

const Quotas = z.object({
  LIMIT_REQUESTS_PER_SECOND: Quota(quotaDefaults.requestsPerSecond),
  LIMIT_READERS_PER_LOG: Quota(quotaDefaults.readersPerLog),
  LIMIT_READERS_PER_ORG: Quota(quotaDefaults.readersPerOrg),
  LIMIT_OPEN_RUNS_PER_PROJECT: Quota(quotaDefaults.openRunsPerProject),
  LIMIT_OPEN_RUNS_PER_ORG: Quota(quotaDefaults.openRunsPerOrg),
  LIMIT_SUBSCRIPTIONS_PER_ORG: Quota(quotaDefaults.subscriptionsPerOrg),
  LIMIT_STREAM_BYTES: Quota(quotaDefaults.streamBytes),
});

/** What one tenant may use at a time, by the names of the Worker's variables. */
export type Quotas = Readonly<z.infer<typeof Quotas>>;

export type QuotaVars = { readonly [Name in keyof Quotas]?: string };

const read = new WeakMap<PlatformEnv, Quotas>();

/** Reads the Worker's variables, once; what is unset has its default. */
export function readQuotas(env: PlatformEnv): Quotas {
  const known = read.get(env);
  if (known !== undefined) return known;
  const quotas = Quotas.parse(env);
  read.set(env, quotas);
  return quotas;
}
