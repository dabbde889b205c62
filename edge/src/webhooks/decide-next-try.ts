import type { DeliveryError, DeliveryStatus } from "@millrace/contracts";
import type { Posted } from "../outbound/post-checked.ts";

export type TryOutcome = Posted | { readonly kind: "failed"; readonly error: "webhook_disabled" };

export interface TrySituation {
  /** Failed tries before this one. */
  readonly tries: number;
  /** Seconds to wait after the first failed try, after the second, …; after the last there is no more. */
  readonly delaysSeconds: readonly number[];
  readonly now: number;
  /** 0 <= jitter < 1. */
  readonly jitter: number;
}

export interface TryVerdict {
  readonly status: DeliveryStatus;
  readonly tries: number;
  readonly error: DeliveryError | null;
  /** Null: this was the last. */
  readonly nextAt: number | null;
  /** The receiver wants no more of anything. */
  readonly disable: boolean;
}

const gone = 410;

/** What one try means for its delivery. */
export function decideNextTry(outcome: TryOutcome, situation: TrySituation): TryVerdict {
  const error = errorOf(outcome);
  const { tries } = situation;
  if (error === null) return { status: "delivered", tries, error, nextAt: null, disable: false };
  const isGone = outcome.kind === "answered" && outcome.statusCode === gone;
  const delaySeconds = situation.delaysSeconds[tries];
  const isLast = isGone || error === "webhook_disabled" || delaySeconds === undefined;
  const failed = { tries: tries + 1, error, disable: isGone };
  if (isLast) return { ...failed, status: "dead", nextAt: null };
  // A tenth to either side, so that what failed together does not come back together.
  const delayMs = delaySeconds * 1000 * (0.9 + situation.jitter / 5);
  return { ...failed, status: "pending", nextAt: Math.round(situation.now + delayMs) };
}

function errorOf(outcome: TryOutcome): DeliveryError | null {
  if (outcome.kind === "failed") return outcome.error;
  const { statusCode } = outcome;
  if (statusCode >= 200 && statusCode < 300) return null;
  return statusCode >= 300 && statusCode < 400 ? "redirect" : "http_status";
}
