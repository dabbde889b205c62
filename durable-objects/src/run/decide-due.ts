import type { WebhookKey } from "./decide-webhook.ts";
import type { Stage } from "./state.ts";
import type { Timings } from "./timings.ts";

/** Waits that the stage alone decides. The lease moves without the stage and is kept beside them. */
export type StageWait = "backoff" | "dispatch" | "start_deadline" | "cancel_force" | "session_stop";

/** Everything else that can be due: an effect that is owed to somebody, or a reader to be looked after. */
export type Owed =
  | "report"
  | "index"
  | "artifacts"
  | "archive"
  | "archived"
  /** The pool's operators are told how the run stands. */
  | "pool"
  /** The session of an attempt that nobody waits for any more is to be stopped. */
  | `fence:${number}`
  | `abort:${string}`
  | WebhookKey;

export type DueKey = StageWait | Owed | "lease" | "readers";

export interface DueItem {
  readonly what: DueKey;
  readonly at: number;
  readonly tries: number;
  /**
   * Tells a newer wish from the one that was just fulfilled. For the lease: 1 when graced. For a webhook: when its event
   * happened, until the deliveries of it are written; negative afterwards.
   */
  readonly mark: number;
}

/** What the run waits for in this stage, and until when at first. */
export function waitsOf(stage: Stage, timings: Timings): ReadonlyMap<StageWait, number> {
  switch (stage.kind) {
    case "created":
    case "running":
    case "waiting":
    case "over":
      return new Map();
    case "queued":
      return new Map([["backoff", stage.readyAt]]);
    case "dispatched":
      return new Map([
        ["dispatch", stage.since + retryDelay("dispatch", 0)],
        ["start_deadline", stage.since + timings.startDeadlineMs],
      ]);
    case "cancelling":
      return new Map<StageWait, number>([
        ["cancel_force", stage.forceAt],
        ...stopWait(stage.stopAt),
      ]);
    case "stopping":
      return new Map(stopWait(stage.stopAt));
  }
}

function stopWait(at: number | null): [StageWait, number][] {
  return at === null ? [] : [["session_stop", at]];
}

const maxRetryMs = 5 * 60_000;

/** How long after try number `tries` (from 0) the next one may come. */
export function retryDelay(what: DueKey, tries: number): number {
  const firstMs = what === "dispatch" ? 10_000 : 2_000;
  return Math.min(maxRetryMs, firstMs * 2 ** Math.min(tries, 10));
}

/** A part that is under way when its attempt is fenced may still land; then the upload can go. */
export const fencedUploadMs = 60_000;

/** When an upload that nobody completed is to be aborted. */
export function abortDue(uploadId: string, at: number): DueItem {
  return { what: `abort:${uploadId}`, at, tries: 0, mark: 0 };
}
