import {
  type LiveLogAddress,
  objectNames,
  type OrgRpc,
  type PlatformEnv,
  type PoolRpc,
  type RunRpc,
  type StreamRpc,
  type SubscriptionsRpc,
  type ThreadRpc,
} from "@millrace/durable-objects";

type WithFetch<Rpc> = Rpc & Pick<Fetcher, "fetch">;

// The stub types of workers-types make `never` of every `unknown` in a result and lose themselves in
// recursive JSON. The *-rpc.ts interfaces are what the objects implement, so stubs go by those.
export function runObject(env: PlatformEnv, orgId: string, runId: string): WithFetch<RunRpc> {
  const stub: unknown = env.RUNS.getByName(objectNames.run(orgId, runId));
  return stub as WithFetch<RunRpc>;
}

export function threadObject(env: PlatformEnv, orgId: string, projectId: string): ThreadRpc {
  const stub: unknown = env.THREADS.getByName(objectNames.thread(orgId, projectId));
  return stub as ThreadRpc;
}

export function orgObject(env: PlatformEnv, orgId: string): WithFetch<OrgRpc> {
  const stub: unknown = env.ORGS.getByName(objectNames.org(orgId));
  return stub as WithFetch<OrgRpc>;
}

export function poolObject(env: PlatformEnv, orgId: string, pool: string): WithFetch<PoolRpc> {
  const stub: unknown = env.POOLS.getByName(objectNames.pool(orgId, pool));
  return stub as WithFetch<PoolRpc>;
}

export function liveLogObject(
  env: PlatformEnv,
  { orgId, runId, attempt, container }: Omit<LiveLogAddress, "pool">,
): Pick<Fetcher, "fetch"> {
  return env.LIVE_LOGS.getByName(objectNames.liveLog(orgId, runId, attempt, container));
}

export function streamObject(env: PlatformEnv, orgId: string, name: string): WithFetch<StreamRpc> {
  const stub: unknown = env.STREAMS.getByName(objectNames.stream(orgId, name));
  return stub as WithFetch<StreamRpc>;
}

export function subscriptionsObject(env: PlatformEnv, orgId: string): SubscriptionsRpc {
  const stub: unknown = env.SUBSCRIPTIONS.getByName(objectNames.subscriptions(orgId));
  return stub as SubscriptionsRpc;
}
