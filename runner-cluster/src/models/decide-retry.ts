import type { FailureCode } from "@millrace/contracts";
import type { ModelFailure } from "./model-failure.ts";

export type RetryDecision =
  | { readonly kind: "retry"; readonly backoffMs: number; readonly error: string }
  | {
      readonly kind: "fail";
      readonly code: FailureCode;
      readonly retryable: boolean;
      readonly error: string;
    };

interface Tried {
  /** Calls made for this message so far, the failed one included. */
  readonly tries: number;
  readonly provider: string;
  /** From 0 to 1. */
  readonly random: number;
}

export const maxModelTries = 5;
const baseBackoffMs = 500;
const maxBackoffMs = 30_000;
/** A provider may ask for more patience than this; the attempt then gives its slot back instead of waiting. */
const maxRetryAfterMs = 60_000;

/** Decides what follows a failed model call: the same call again, or the end of the attempt. */
export function decideRetry(failure: ModelFailure, tried: Tried): RetryDecision {
  const error = describe(failure, tried.provider);
  if (failure.kind === "silent") {
    return { kind: "fail", code: "model_silent", retryable: true, error };
  }
  if (failure.kind === "refused" && !isTransient(failure.status)) {
    return { kind: "fail", code: "provider_rejected", retryable: false, error };
  }
  const askedMs = failure.kind === "refused" ? failure.retryAfterMs : null;
  if (tried.tries >= maxModelTries || (askedMs ?? 0) > maxRetryAfterMs) {
    return { kind: "fail", code: "provider_error", retryable: true, error };
  }
  return { kind: "retry", backoffMs: backoff(tried, askedMs), error };
}

/** Conflict, timeout and rate limit pass; any other 4xx says that the request itself is wrong. */
function isTransient(status: number): boolean {
  return status === 408 || status === 409 || status === 429 || status >= 500;
}

function backoff(tried: Tried, askedMs: number | null): number {
  const doubled = Math.min(maxBackoffMs, baseBackoffMs * 2 ** (tried.tries - 1));
  // Half fixed, half random: callers that failed together do not come back together.
  const jittered = doubled / 2 + (doubled / 2) * tried.random;
  return Math.round(Math.max(jittered, askedMs ?? 0));
}

function describe(failure: ModelFailure, provider: string): string {
  switch (failure.kind) {
    case "refused":
      return `${provider} answered ${failure.status}: ${cause(failure)}`;
    case "cut":
      return `${provider} ended its answer early: ${failure.message.slice(0, 500)}`;
    case "network":
      return `${provider} could not be reached: ${failure.message.slice(0, 500)}`;
    case "silent":
      return `${provider} sent nothing for ${Math.round(failure.afterMs / 1000)} s.`;
  }
}

function cause(failure: ModelFailure & { readonly kind: "refused" }): string {
  // Providers quote the refused key in this message, in part or whole.
  if (failure.status === 401) return "it does not accept the runner's API key.";
  return failure.message.slice(0, 500);
}
