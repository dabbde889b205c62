import {
  objectNames,
  type PlatformEnv,
  type PoolRpc,
  type RunRpc,
  type ThreadRpc,
} from "@millrace/durable-objects";

type WithFetch<Rpc> = Rpc & Pick<Fetcher, "fetch">;

// The stub types of workers-types make `never` of every `unknown` in a result and lose themselves in
// recursive JSON. The *-rpc.ts interfaces are what the objects implement, so stubs go by those.
const stubOf = <Rpc>(stub: unknown): Rpc => stub as Rpc;

export function runObject(env: PlatformEnv, orgId: string, runId: string): WithFetch<RunRpc> {
  return stubOf(env.RUNS.getByName(objectNames.run(orgId, runId)));
}

export function threadObject(env: PlatformEnv, orgId: string, projectId: string): ThreadRpc {
  return stubOf(env.THREADS.getByName(objectNames.thread(orgId, projectId)));
}

export function poolObject(env: PlatformEnv, orgId: string, pool: string): WithFetch<PoolRpc> {
  return stubOf(env.POOLS.getByName(objectNames.pool(orgId, pool)));
}
