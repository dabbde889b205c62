import { describe, it } from "vitest";
import { decideRetry, maxModelTries } from "./decide-retry.ts";
import { readRetryAfter, type ModelFailure } from "./model-failure.ts";

const decide = (failure: ModelFailure, tries = 1, random = 1) =>
  decideRetry(failure, { tries, provider: "openai", random });

const refused = (status: number, retryAfterMs: number | null = null): ModelFailure => ({
  kind: "refused",
  status,
  message: "because",
  retryAfterMs,
});
const cut: ModelFailure = { kind: "cut", message: "terminated" };

describe("after a model call failed", () => {
  it.for([400, 401, 402, 403, 404, 413, 422])("%i ends the run at once", (status, { expect }) => {
    expect(decide(refused(status))).toMatchObject({
      kind: "fail",
      code: "provider_rejected",
      retryable: false,
    });
  });

  it.for([408, 409, 429, 500, 502, 503, 504, 529])("%i is tried again", (status, { expect }) => {
    expect(decide(refused(status))).toMatchObject({ kind: "retry" });
  });

  it("a cut stream and a network error are tried again", ({ expect }) => {
    expect(decide(cut)).toMatchObject({ kind: "retry" });
    expect(decide({ kind: "network", message: "ECONNREFUSED" })).toMatchObject({ kind: "retry" });
  });

  it("waits twice as long each time, half of it by chance", ({ expect }) => {
    const waits = [1, 2, 3, 4].map((tries) => [decide(cut, tries, 0), decide(cut, tries, 1)]);
    expect(waits.flat().map((d) => d.kind === "retry" && d.backoffMs)).toEqual([
      250, 500, 500, 1_000, 1_000, 2_000, 2_000, 4_000,
    ]);
  });

  it("waits for as long as the provider asks", ({ expect }) => {
    expect(decide(refused(429, 20_000))).toMatchObject({ backoffMs: 20_000 });
    expect(decide(refused(429, 0), 1, 1)).toMatchObject({ backoffMs: 500 });
  });

  it("gives the attempt up rather than wait for very long", ({ expect }) => {
    expect(decide(refused(429, 3_600_000))).toMatchObject({
      kind: "fail",
      code: "provider_error",
      retryable: true,
    });
  });

  it("gives the attempt up after the last try", ({ expect }) => {
    expect(decide(cut, maxModelTries)).toMatchObject({ kind: "fail", code: "provider_error" });
  });

  it("gives the attempt up when the model is silent", ({ expect }) => {
    expect(decide({ kind: "silent", afterMs: 120_000 })).toEqual({
      kind: "fail",
      code: "model_silent",
      retryable: true,
      error: "openai sent nothing for 120 s.",
    });
  });

  it("names provider and cause", ({ expect }) => {
    expect(decide(refused(404))).toMatchObject({ error: "openai answered 404: because" });
  });

  it("does not repeat what a provider says about a key", ({ expect }) => {
    const told = { ...refused(401), message: "Incorrect API key provided: sk-abc" } as ModelFailure;
    expect(decide(told)).toMatchObject({
      error: "openai answered 401: it does not accept the runner's API key.",
    });
  });
});

describe("Retry-After", () => {
  const now = Date.parse("2026-11-20T10:00:00Z");
  it.for([
    [{}, null],
    [{ "retry-after": "3" }, 3_000],
    [{ "retry-after": "0.5" }, 500],
    [{ "retry-after": "-1" }, null],
    [{ "retry-after": "soon" }, null],
    [{ "retry-after": "Fri, 20 Nov 2026 10:00:09 GMT" }, 9_000],
    [{ "retry-after": "Fri, 20 Nov 2026 09:00:00 GMT" }, 0],
    [{ "retry-after-ms": "250", "retry-after": "1" }, 250],
  ] as const)("%o", ([headers, expected], { expect }) => {
    expect(readRetryAfter(new Headers(headers), now)).toBe(expected);
  });
});
