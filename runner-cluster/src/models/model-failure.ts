import { APIConnectionError, APIError } from "openai";

/** Why a model call did not come to its end. */
export type ModelFailure =
  /** The provider answered with an HTTP error. */
  | {
      readonly kind: "refused";
      readonly status: number;
      readonly message: string;
      readonly retryAfterMs: number | null;
    }
  /** The stream ended, or said that it failed, before the message was whole. */
  | { readonly kind: "cut"; readonly message: string }
  | { readonly kind: "network"; readonly message: string }
  | { readonly kind: "silent"; readonly afterMs: number };

/** A model call failed for a reason that lies with the provider or the way to it. */
export class ModelCallFailed extends Error {
  override readonly name = "ModelCallFailed";
  readonly failure: ModelFailure;
  constructor(failure: ModelFailure, options?: ErrorOptions) {
    super(`model call failed: ${failure.kind}`, options);
    this.failure = failure;
  }
}

/** Reads what went wrong out of whatever the SDK or fetch threw. `begun`: chunks had arrived already. */
export function toModelFailure(error: unknown, begun: boolean, now: number): ModelFailure {
  if (error instanceof ModelCallFailed) return error.failure;
  if (error instanceof APIError && typeof error.status === "number") {
    const retryAfterMs = readRetryAfter(error.headers, now);
    return { kind: "refused", status: error.status, message: providerMessage(error), retryAfterMs };
  }
  const message = rootMessage(error);
  if (begun) return { kind: "cut", message };
  // An API error without a status is one that the provider sent inside the stream.
  if (error instanceof APIError && !(error instanceof APIConnectionError)) {
    return { kind: "cut", message };
  }
  return { kind: "network", message };
}

/** `Retry-After` as milliseconds from now: seconds, a date, or the `retry-after-ms` that some providers send. */
export function readRetryAfter(headers: Headers | undefined, now: number): number | null {
  const inMs = Number(headers?.get("retry-after-ms") ?? Number.NaN);
  if (inMs >= 0) return inMs;
  const value = headers?.get("retry-after");
  if (!value) return null;
  const seconds = Number(value);
  if (!Number.isNaN(seconds)) return seconds >= 0 ? seconds * 1000 : null;
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}

function providerMessage(error: APIError): string {
  const body: unknown = error.error;
  const told = typeof body === "object" && body !== null && "message" in body && body.message;
  return typeof told === "string" ? told : error.message;
}

/** `fetch failed` and `Connection error.` say nothing; what caused them does. */
function rootMessage(error: unknown): string {
  let current = error;
  while (current instanceof Error && current.cause instanceof Error) current = current.cause;
  return current instanceof Error ? current.message : String(current);
}
