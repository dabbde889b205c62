import type { LogFollow, PoolStatus, RunSpec, SessionRun, SessionStop } from "@millrace/contracts";

/** A run that wants a runner. Asked twice, it waits once. */
export interface WaitingRun {
  readonly orgId: string;
  readonly projectId: string;
  readonly runId: string;
  readonly attempt: number;
  /** Of a run that wants a session in a cluster; no long-lived runner is offered it. */
  readonly spec?: RunSpec;
}

/** What run objects may ask of a pool. It is an accelerator: it may forget, the run's alarm asks again. */
export interface PoolRpc {
  /** Offer this attempt to a free runner, now or when one connects. */
  enqueue(waiting: WaitingRun): Promise<void>;
  /** The run needs no runner any more: it is over, or `claimedBy` has claimed it. */
  withdraw(runId: string, claimedBy: string | null): Promise<void>;
  /** Has the operator end an attempt; answers when that is written down. Again: nothing. */
  stopSession(stop: Omit<SessionStop, "type" | "key">): Promise<void>;
  /** Tells the operators that are connected. */
  runChanged(run: SessionRun): Promise<void>;
  /** Has the operator open the socket of a log; false: none is connected. A hint. */
  followLog(log: Omit<LogFollow, "type">): Promise<boolean>;
  /** Shuts out whoever is connected: the pool has been deleted. */
  disband(): Promise<void>;
  /** How the pool is now. */
  view(): Promise<PoolView>;
}

export interface PoolView {
  readonly waiting: number;
  readonly runners: {
    readonly connected: number;
    readonly slots: number;
    readonly free: number;
    readonly warm: number;
    /** Of the connected ones, each once. */
    readonly versions: readonly string[];
    /** When one of the connected last spoke. */
    readonly lastSeenAt: number | null;
  };
  readonly operators: readonly {
    readonly operatorId: string;
    readonly version: string;
    readonly leader: boolean;
    readonly connectedAt: number;
    readonly lastSeenAt: number;
  }[];
  /** The leader's last word; null: none is connected. */
  readonly status: PoolStatus | null;
  /** When an operator or a runner last spoke, or was last connected. */
  readonly lastSeenAt: number | null;
}

/**
 * Both sockets are opened with `fetch` and an Upgrade header on `https://pool/socket?orgId=&pool=` (a runner's) or
 * `/operator`; the edge has checked the token. `&warm=` says, as JSON, for which pod a warm runner's was made.
 */
export const poolSocketPath = "/socket";
export const operatorSocketPath = "/operator";
