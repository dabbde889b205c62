/** A connected runner that has said hello. Lives in its socket's attachment, so that it outlives hibernation. */
export interface Runner {
  readonly runnerId: string;
  readonly slots: number;
  /** Slots that it last reported free, less what it accepted since. Offers without an answer come off this. */
  readonly free: number;
  readonly kind: "pool" | "warm";
  /** Of a warm runner. */
  readonly podName: string | null;
  /** Where that pod is; null: nobody has vouched for it. */
  readonly namespace: string | null;
  /** Owners of the edge whose sessions are made there; null: everybody. */
  readonly owners: readonly string[] | null;
  /** The run that a warm runner has accepted. */
  readonly taken: { readonly runId: string; readonly attempt: number } | null;
}

/** A run that a runner has been asked to take. */
export interface StandingOffer {
  readonly runId: string;
  readonly attempt: number;
  readonly runnerId: string;
  readonly deadline: number;
}

/** Why a runner is not asked again for an attempt. `silent`: it let an offer pass. */
export type RefusalReason = "full" | "draining" | "already_running" | "other_org" | "silent";
