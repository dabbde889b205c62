/** A run that wants a runner. Asked twice, it waits once. */
export interface WaitingRun {
  readonly orgId: string;
  readonly projectId: string;
  readonly runId: string;
  readonly attempt: number;
}

/** What run objects may ask of a pool. It is an accelerator: it may forget, the run's alarm asks again. */
export interface PoolRpc {
  /** Offer this attempt to a free runner, now or when one connects. */
  enqueue(waiting: WaitingRun): Promise<void>;
  /** The run needs no runner any more (claimed, cancelled, failed). */
  withdraw(runId: string): Promise<void>;
}

/**
 * The pool socket is opened with `fetch` and an Upgrade header on `https://pool/socket?orgId=&pool=`;
 * the edge has checked the pool token.
 */
export const poolSocketPath = "/socket";
