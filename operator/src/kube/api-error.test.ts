import { expect, it } from "vitest";
import { isApiError, readApiError } from "./api-error.ts";

const forbidden = (message: string, causes: readonly object[] = []) => ({
  kind: "Status",
  reason: "Forbidden",
  message,
  code: 403,
  details: { causes },
});

it.each([
  [409, { reason: "Conflict" }, "conflict", false],
  [409, { reason: "AlreadyExists" }, "already_exists", false],
  [404, { reason: "NotFound" }, "not_found", false],
  [410, { reason: "Expired" }, "gone", false],
  [410, { reason: "Gone" }, "gone", false],
  [
    504,
    { reason: "Timeout", details: { causes: [{ reason: "ResourceVersionTooLarge" }] } },
    "gone",
    false,
  ],
  [401, { reason: "Unauthorized" }, "unauthorized", true],
  [403, forbidden('User "bob" cannot list resource "pods" in API group ""'), "forbidden", false],
  [403, forbidden('pods "x" is forbidden: exceeded quota: q, requested: pods=1'), "quota", true],
  [403, forbidden("x is forbidden: status unknown for quota: q, resources: pods"), "quota", true],
  [
    403,
    forbidden('pods "x" is forbidden: failed quota: q: must specify limits.cpu'),
    "quota",
    true,
  ],
  [
    403,
    forbidden('pods "x" is forbidden: violates PodSecurity "restricted:latest"'),
    "admission_denied",
    false,
  ],
  [403, forbidden('admission webhook "w.test" denied the request: no'), "admission_denied", false],
  [
    422,
    {
      message:
        "sessions \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
    },
    "admission_denied",
    false,
  ],
  [
    403,
    forbidden("being terminated", [{ reason: "NamespaceTerminating" }]),
    "namespace_terminating",
    false,
  ],
  [422, { reason: "Invalid" }, "invalid", false],
  [429, { reason: "TooManyRequests" }, "throttled", true],
  [500, { reason: "InternalError" }, "unavailable", true],
  [503, "not JSON at all", "unavailable", true],
])("reads HTTP %i with %j as %s", (status, body, reason, retryable) => {
  const error = readApiError(status, body, "GET /x");
  expect(error).toMatchObject({ status, reason, retryable });
  expect(error.message).toMatch("GET /x: ");
});

it("knows how long the server wants us to wait", () => {
  const body = { reason: "TooManyRequests", details: { retryAfterSeconds: 3 } };
  expect(readApiError(429, body, "x").retryAfterMs).toBe(3000);
});

it("tells its own errors from others", () => {
  const error = readApiError(404, {}, "x");
  expect(isApiError(error)).toBe(true);
  expect(isApiError(error, "conflict", "not_found")).toBe(true);
  expect(isApiError(error, "conflict")).toBe(false);
  expect(isApiError(new Error("HTTP 404"), "not_found")).toBe(false);
});
