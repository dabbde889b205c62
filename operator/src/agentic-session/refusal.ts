import { ApiError, type ApiErrorReason } from "../kube/api-error.ts";

/** Something said no for good: the attempt fails with this. */
export interface Refusal {
  readonly reason: string;
  readonly message: string;
  /** Another attempt may find it otherwise. */
  readonly retryable: boolean;
}

const reasonOf: Partial<Record<ApiErrorReason, string>> = {
  admission_denied: "AdmissionDenied",
  forbidden: "AdmissionDenied",
  invalid: "InvalidSpec",
  namespace_terminating: "NamespaceTerminating",
  quota: "QuotaExceeded",
};

/** What the API server says to a child that it does not take; undefined: try again. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof ApiError)) return undefined;
  const reason = reasonOf[error.reason];
  if (reason === undefined) return undefined;
  return { reason, message: error.message, retryable: error.retryable };
}
