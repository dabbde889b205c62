import type { Claimed, Outcome, RunnerEvent } from "@millrace/contracts";

/** Another attempt is current, or the run is over: stop everything, write nothing. Never retried. */
export class AttemptFenced extends Error {
  override readonly name = "AttemptFenced";
}

/** The reason with which `workSignal` aborts when the lease ended; the attempt itself may go on. */
export class LeaseLost extends Error {
  override readonly name = "LeaseLost";
}

/** The reason with which `signal` and `workSignal` abort when a user cancelled the run. */
export class CancelRequested extends Error {
  override readonly name = "CancelRequested";
}

/** The reason with which `signal` and `workSignal` abort when the run is to be handed back. */
export class DrainRequested extends Error {
  override readonly name = "DrainRequested";
  /** `drain`: this runner ends, another goes on at once; `stopped`: a user paused the run. */
  readonly because: "drain" | "stopped";

  constructor(message: string, because: "drain" | "stopped" = "drain") {
    super(message);
    this.because = because;
  }
}

/** An event as the engine hands it over. `whole` is its data as JSON when the log would not take that; `data` is a preview then. */
export type AttemptEvent = RunnerEvent & { readonly whole?: string };

/**
 * What an engine may do with the attempt it executes. Everything about sockets, resends, acks and
 * leases stays behind it; everything about models, tools and files stays in front.
 */
export interface Attempt {
  /** The answer to the claim: spec, conversation, attempt number, budget. */
  readonly claimed: Claimed;
  /** Parsed bodies of the checkpoint steps of earlier attempts, in order. */
  readonly steps: readonly unknown[];
  /**
   * Appends an event, in order, without waiting. Deltas of one message that follow one another are
   * joined, at most 25 ms or 1 KiB of text each.
   */
  emit(event: AttemptEvent): void;
  /** Resolves when the outbox has room again (8 MB). Await it in a loop that emits. */
  room(): Promise<void>;
  /**
   * Sends events, and the checkpoint step that belongs to them, as one frame; resolves when that frame
   * and all before it are durable. Rejects with AttemptFenced.
   */
  commit(events: readonly AttemptEvent[], step?: unknown): Promise<void>;
  /** Sends the attempt's last frame; resolves when it is durable. Nothing may be appended after it. */
  finish(outcome: Outcome, events?: readonly AttemptEvent[]): Promise<void>;
  /** Resolves when the lease has more than 5 s left: await before every tool and model call. Rejects with AttemptFenced, or with the reason of `signal`. */
  ready(): Promise<void>;
  /** True while the lease holds right now. Ask in the same synchronous turn as a write to the workspace. */
  holdsLease(): boolean;
  /** Aborts for good: CancelRequested, DrainRequested or AttemptFenced as reason. */
  readonly signal: AbortSignal;
  /** A signal for one piece of work: aborts with `signal`, and with LeaseLost at the lease's end. */
  workSignal(): AbortSignal;
  /** A fresh run token, for uploads, blobs and restores. */
  token(): string;
}
