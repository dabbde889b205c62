import { objectNames, type PlatformEnv } from "./platform-env.ts";
import type { PoolRpc } from "./pool/pool-rpc.ts";
import type { RunRpc } from "./run/run-rpc.ts";
import type { StreamRpc } from "./stream/stream-rpc.ts";
import type { SubscriptionsRpc } from "./subscriptions/subscriptions-rpc.ts";
import type { ThreadRpc } from "./thread/thread-rpc.ts";

// The stub types of workers-types lose themselves in recursive JSON; the *-rpc.ts interfaces are what
// the objects implement, so calls go by those.

export function runStub(env: PlatformEnv, orgId: string, runId: string): RunRpc {
  const stub: unknown = env.RUNS.getByName(objectNames.run(orgId, runId));
  return stub as RunRpc;
}

export function threadStub(env: PlatformEnv, orgId: string, projectId: string): ThreadRpc {
  const stub: unknown = env.THREADS.getByName(objectNames.thread(orgId, projectId));
  return stub as ThreadRpc;
}

export function poolStub(env: PlatformEnv, orgId: string, pool: string): PoolRpc {
  const stub: unknown = env.POOLS.getByName(objectNames.pool(orgId, pool));
  return stub as PoolRpc;
}

export function streamStub(env: PlatformEnv, orgId: string, name: string): StreamRpc {
  const stub: unknown = env.STREAMS.getByName(objectNames.stream(orgId, name));
  return stub as StreamRpc;
}

export function subscriptionsStub(env: PlatformEnv, orgId: string): SubscriptionsRpc {
  const stub: unknown = env.SUBSCRIPTIONS.getByName(objectNames.subscriptions(orgId));
  return stub as SubscriptionsRpc;
}
