import { z } from "zod";

/** Why the API server refused, as far as a caller acts differently on it. */
export type ApiErrorReason =
  | "conflict"
  | "already_exists"
  | "not_found"
  | "gone"
  | "unauthorized"
  | "forbidden"
  | "quota"
  | "admission_denied"
  | "namespace_terminating"
  | "invalid"
  | "throttled"
  | "unavailable";

/** `metav1.Status`, the body of every refusal. */
const Status = z.object({
  message: z.string().optional(),
  reason: z.string().optional(),
  code: z.number().optional(),
  details: z
    .object({
      retryAfterSeconds: z.number().optional(),
      causes: z
        .array(
          z.object({
            reason: z.string().optional(),
            field: z.string().optional(),
            message: z.string().optional(),
          }),
        )
        .optional(),
    })
    .optional(),
});
type Status = z.output<typeof Status>;

/** The API server refused, or could not be reached (`status` 0). */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  readonly reason: ApiErrorReason;
  /** How long the server asks us to wait. */
  readonly retryAfterMs: number | undefined;

  constructor(
    facts: {
      readonly status: number;
      readonly reason: ApiErrorReason;
      readonly message: string;
      readonly retryAfterMs?: number | undefined;
    },
    options?: ErrorOptions,
  ) {
    super(facts.message, options);
    this.status = facts.status;
    this.reason = facts.reason;
    this.retryAfterMs = facts.retryAfterMs;
  }

  /** Whether the same request can succeed later with nothing changed by us. A conflict cannot: read again first. */
  get retryable(): boolean {
    return retryable.has(this.reason);
  }
}

const retryable: ReadonlySet<ApiErrorReason> = new Set<ApiErrorReason>([
  "throttled",
  "unavailable",
  // A bound token is renewed in its file, a quota frees up.
  "unauthorized",
  "quota",
]);

export function isApiError(error: unknown, ...reasons: readonly ApiErrorReason[]): boolean {
  return error instanceof ApiError && (reasons.length === 0 || reasons.includes(error.reason));
}

/** An error from an answer with a status of 400 or more, or from an ERROR event of a watch. */
export function readApiError(httpStatus: number, body: unknown, what: string): ApiError {
  const parsed = Status.safeParse(body);
  const status: Status = parsed.success ? parsed.data : {};
  const seconds = status.details?.retryAfterSeconds;
  return new ApiError({
    status: httpStatus,
    reason: classify(httpStatus, status),
    message: `${what}: ${status.message ?? `HTTP ${httpStatus}`}`,
    retryAfterMs: seconds === undefined ? undefined : seconds * 1000,
  });
}

const reasonOfStatus: Readonly<Record<number, ApiErrorReason>> = {
  400: "invalid",
  401: "unauthorized",
  404: "not_found",
  405: "invalid",
  409: "conflict",
  410: "gone",
  413: "invalid",
  415: "invalid",
  422: "invalid",
  429: "throttled",
};

/** Of the status itself or of one of its causes, where the HTTP status alone would mislead. */
const reasonOfText: Readonly<Record<string, ApiErrorReason>> = {
  AlreadyExists: "already_exists",
  Expired: "gone",
  NamespaceTerminating: "namespace_terminating",
  // After a restore of etcd the server is behind what we have seen: only a new list helps.
  ResourceVersionTooLarge: "gone",
};

function classify(httpStatus: number, status: Status): ApiErrorReason {
  const reasons = [status.reason, ...(status.details?.causes ?? []).map((cause) => cause.reason)];
  for (const reason of reasons) {
    const known = reasonOfText[reason ?? ""];
    if (known) return known;
  }
  const message = status.message ?? "";
  if (httpStatus === 403) return classifyForbidden(message);
  if (isDeniedByAdmission(message)) return "admission_denied";
  return reasonOfStatus[httpStatus] ?? "unavailable";
}

/** RBAC, quota and admission plugins all answer 403 Forbidden; nothing but the text tells them apart. */
function classifyForbidden(message: string): ApiErrorReason {
  if (/\b((exceeded|failed) quota|status unknown for quota): /.test(message)) return "quota";
  return isDeniedByAdmission(message) ? "admission_denied" : "forbidden";
}

/** Texts of webhooks, CEL policies, Pod Security and LimitRanger. */
const denials = [
  /\badmission webhook "[^"]*" denied the request\b/,
  /AdmissionPolicy '[^']*' with binding '[^']*' denied request\b/,
  /\bviolates PodSecurity\b/,
  /\b(maximum|minimum) (cpu|memory|ephemeral-storage|storage) usage per\b/,
];
const isDeniedByAdmission = (message: string): boolean =>
  denials.some((denial) => denial.test(message));
