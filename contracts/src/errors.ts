import { z } from "zod";

/** Every reason for which a request can be refused. One vocabulary for all dialects. */
export const ErrorCode = z.enum([
  "unauthenticated",
  "permission_denied",
  "invalid_json",
  "invalid_argument",
  "not_found",
  "idempotency_mismatch",
  "conflict",
  "fenced",
  "gone",
  "method_not_allowed",
  "unavailable",
  "workspace_unavailable",
  "payload_too_large",
  "rate_limited",
  "internal",
]);
export type ErrorCode = z.infer<typeof ErrorCode>;

/** The one place that says which HTTP status a code has. `unavailable` is 409: the resource is not ready yet. */
export const statusOfError = {
  unauthenticated: 401,
  permission_denied: 403,
  invalid_json: 400,
  invalid_argument: 400,
  not_found: 404,
  idempotency_mismatch: 409,
  conflict: 409,
  fenced: 403,
  gone: 410,
  method_not_allowed: 405,
  unavailable: 409,
  workspace_unavailable: 400,
  payload_too_large: 413,
  rate_limited: 429,
  internal: 500,
} as const satisfies Record<ErrorCode, number>;

/** Why a run failed, as a stable code for programs; `error` beside it is the sentence for people. */
export const FailureCode = z.enum([
  "provider_error",
  "provider_rejected",
  "model_silent",
  "step_limit",
  "run_timeout",
  "lease_expired",
  "no_runner",
  "workspace_unavailable",
  "repository_failed",
  "mcp_server_failed",
  "archive_failed",
  "session_failed",
  "runner_error",
]);
export type FailureCode = z.infer<typeof FailureCode>;
