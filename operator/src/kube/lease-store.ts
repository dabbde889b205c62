import type { V1Lease } from "@kubernetes/client-node";
import { isApiError } from "./api-error.ts";
import type { LeaseRecord } from "./decide-lease.ts";
import { type Ref, type Stored, defineKind } from "./kind.ts";
import type { KubeClient } from "./kube-client.ts";

type Lease = Stored<V1Lease>;
const leases = defineKind<Lease>("coordination.k8s.io/v1", "Lease", "leases");

export interface LeaseWrite {
  readonly holder: string;
  readonly durationMs: number;
  readonly transitions: number;
}

/** Where the one Lease lives. Requests reject when the API cannot answer; a lost race is a value. */
export interface LeaseStore {
  read(signal: AbortSignal): Promise<LeaseRecord | undefined>;
  create(write: LeaseWrite, signal: AbortSignal): Promise<LeaseRecord | "lost_race">;
  /** Only over this version. */
  update(over: string, write: LeaseWrite, signal: AbortSignal): Promise<LeaseRecord | "lost_race">;
}

export function makeLeaseStore(api: KubeClient, ref: Ref, now: () => number): LeaseStore {
  const { name, namespace } = ref;
  const metadata = { name, ...(namespace !== undefined && { namespace }) };
  const specOf = (write: LeaseWrite) => ({
    holderIdentity: write.holder,
    // Whole seconds, and at least one: the API takes nothing else.
    leaseDurationSeconds: Math.max(Math.ceil(write.durationMs / 1000), 1),
    leaseTransitions: write.transitions,
    renewTime: new Date(now()).toISOString().replace("Z", "000Z"),
  });
  return {
    async read(signal) {
      const lease = await api.with({ signal }).get(leases, ref);
      return lease && readRecord(lease);
    },
    create: (write, signal) =>
      raced(() => api.with({ signal }).create(leases, { metadata, spec: specOf(write) })),
    update: (over, write, signal) => {
      const patch = { metadata: { resourceVersion: over }, spec: specOf(write) };
      return raced(() => api.with({ signal }).patch(leases, ref, patch));
    },
  };
}

async function raced(write: () => Promise<Lease>): Promise<LeaseRecord | "lost_race"> {
  try {
    return readRecord(await write());
  } catch (error) {
    if (isApiError(error, "conflict", "already_exists", "not_found")) return "lost_race";
    throw error;
  }
}

function readRecord({ metadata, spec }: Lease): LeaseRecord {
  return {
    holder: spec?.holderIdentity ?? "",
    durationMs: (spec?.leaseDurationSeconds ?? 0) * 1000,
    transitions: spec?.leaseTransitions ?? 0,
    version: metadata.resourceVersion,
  };
}

/** For good: nobody is to lead any more. */
export async function deleteLease(api: KubeClient, ref: Ref): Promise<void> {
  await api.delete(leases, ref);
}
