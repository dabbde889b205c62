import type { v1Pools } from "@millrace/contracts";
import type { PoolView } from "@millrace/durable-objects";
import type { PoolEntry } from "../../pools.ts";
import { isoOrNull, isoTime } from "./run-summary.ts";

/** A pool as `/v1` shows it. */
export function poolOf({ name, workspaceBackend }: PoolEntry, view: PoolView): v1Pools.Pool {
  const { status, runners, operators } = view;
  return {
    name,
    workspaceBackend,
    connected: runners.connected > 0 || operators.length > 0,
    version: status?.version ?? operators.find(({ leader }) => leader)?.version ?? null,
    lastSeenAt: isoOrNull(view.lastSeenAt),
    waiting: view.waiting,
    runners: {
      ...runners,
      versions: [...runners.versions],
      lastSeenAt: isoOrNull(runners.lastSeenAt),
    },
    cluster: status && { free: status.free, warm: status.warm, sessions: status.sessions },
    operators: operators.map(({ operatorId, version, leader, connectedAt, lastSeenAt }) => ({
      id: operatorId,
      version,
      leader,
      connectedAt: isoTime(connectedAt),
      lastSeenAt: isoTime(lastSeenAt),
    })),
  };
}
