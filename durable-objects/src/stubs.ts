import { objectNames, type PlatformEnv } from "./platform-env.ts";
import type { PoolRpc } from "./pool/pool-rpc.ts";
import type { RunRpc } from "./run/run-rpc.ts";
import type { ThreadRpc } from "./thread/thread-rpc.ts";

// The stub types of workers-types lose themselves in recursive JSON; the *-rpc.ts interfaces are what
// the objects implement, so calls go by those.
const stubOf = <Rpc>(stub: unknown): Rpc => stub as Rpc;

export function runStub(env: PlatformEnv, orgId: string, runId: string): RunRpc {
  return stubOf(env.RUNS.getByName(objectNames.run(orgId, runId)));
}

export function threadStub(env: PlatformEnv, orgId: string, projectId: string): ThreadRpc {
  return stubOf(env.THREADS.getByName(objectNames.thread(orgId, projectId)));
}

export function poolStub(env: PlatformEnv, orgId: string, pool: string): PoolRpc {
  return stubOf(env.POOLS.getByName(objectNames.pool(orgId, pool)));
}
