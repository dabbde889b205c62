import { statusOfError, type ErrorCode, type JsonValue, type v1 } from "@millrace/contracts";
import type { Context, ErrorHandler, NotFoundHandler, TypedResponse } from "hono";
import type { ZodError } from "zod";
import { logError } from "./log.ts";

/** These two are the streams' alone, which are no part of the typed routes. */
type ProblemStatus = Exclude<(typeof statusOfError)[ErrorCode], 405 | 410>;
export type ProblemResponse = Response & TypedResponse<v1.Problem, ProblemStatus, "json">;

export interface ProblemFacts {
  readonly message?: string;
  readonly details?: JsonValue;
  readonly retryAfterSeconds?: number;
}

const messageOf = {
  unauthenticated: "a valid API key is required",
  permission_denied: "this credential may not do that",
  invalid_json: "the body is not JSON",
  invalid_argument: "the request is malformed",
  not_found: "not found",
  idempotency_mismatch: "this Idempotency-Key belongs to another request",
  conflict: "this is in the way of something that is there",
  fenced: "a newer writer has taken over",
  gone: "this was deleted",
  method_not_allowed: "this method is not allowed here",
  unavailable: "not available yet",
  workspace_unavailable: "this workspace backend is not available",
  payload_too_large: "the body is too large",
  rate_limited: "too many requests",
  internal: "something went wrong on our side",
} as const satisfies Record<ErrorCode, string>;

/** The only maker of failures: one code, one status, one shape. */
export function problem(c: Context, code: ErrorCode, facts: ProblemFacts = {}): ProblemResponse {
  const message = facts.message ?? messageOf[code];
  const details = facts.details === undefined ? {} : { details: facts.details };
  if (facts.retryAfterSeconds !== undefined) {
    c.header("retry-after", String(facts.retryAfterSeconds));
  }
  c.header("cache-control", "no-store");
  const body = {
    ok: false,
    error: { code, message, ...details },
    code,
    message,
    meta: { apiVersion: "v1", ts: new Date().toISOString() },
  } as const;
  return c.json(body, statusOfError[code]) as Response as ProblemResponse;
}

type Validated = { readonly target: string } & (
  | { readonly success: true }
  | { readonly success: false; readonly error: ZodError }
);

/** What a route answers when a part of the request fails its schema. */
export function refuseInvalid(result: Validated, c: Context): ProblemResponse | undefined {
  if (result.success) return undefined;
  const [issue] = result.error.issues;
  const path = issue?.path.join(".") ?? "";
  // An id that cannot be a run's names no run.
  if (result.target === "param" && path === "runId") return problem(c, "not_found");
  const field = path === "" ? "body" : path;
  const message = `${field}: ${issue?.message ?? "invalid"}`;
  return problem(c, "invalid_argument", { message, details: { field } });
}

export const answerNotFound: NotFoundHandler = (c) =>
  problem(c, "not_found", { message: `no such endpoint: ${c.req.method} ${c.req.path}` });

/** Whatever was thrown is our bug: the cause goes to the log, the client learns nothing of it. */
export const answerCrash: ErrorHandler = (error, c) => {
  logError("unhandled", { error, requestId: c.get("requestId"), path: c.req.path });
  return problem(c, "internal");
};
