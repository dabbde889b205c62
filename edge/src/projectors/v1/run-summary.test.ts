import { RunStatus, v1, type RunView } from "@millrace/contracts";
import { describe, expect, it } from "vitest";
import { v1Status } from "./run-status.ts";
import { runSummary } from "./run-summary.ts";

const runId = "01900000-0000-7000-8000-000000000001";
const view: RunView = {
  spec: {
    orgId: "org",
    projectId: "p",
    runId,
    runIndex: 2,
    parentRunId: null,
    kind: "run",
    prompt: "do it",
    input: { a: 1 },
    provider: "openai",
    model: null,
    workspaceBackend: "host",
    pool: "default",
    maxAttempts: 3,
    idempotencyKey: "k",
    createdAt: 1_000,
    owner: null,
    session: null,
    repos: [],
    needsOwnPod: false,
    interactive: false,
    keepOpen: false,
    timeoutSeconds: null,
    startDeadlineSeconds: null,
    traceparent: null,
  },
  version: 9,
  status: "succeeded",
  cancelled: false,
  attempt: 1,
  failures: 0,
  startedAt: 2_000,
  completedAt: 5_000,
  updatedAt: 5_000,
  output: "done",
  error: null,
  usage: null,
  cost: null,
  provider: null,
  model: null,
  modelSource: null,
  archive: null,
  archiveUntil: null,
};
const place = { runId, runIndex: 2, parentRunId: null, writable: true, view };

describe("status", () => {
  const expected: Readonly<Record<RunStatus, v1.V1Status>> = {
    queued: "queued",
    dispatched: "queued",
    waiting: "queued",
    running: "running",
    cancelling: "running",
    succeeded: "completed",
    failed: "error",
    cancelled: "cancelled",
  };
  it.each(RunStatus.options)("%s", (status) => {
    expect(v1Status({ status, startedAt: 1 })).toBe(expected[status]);
  });

  it("of a run that is cancelled before it started stays queued", () => {
    expect(v1Status({ status: "cancelling", startedAt: null })).toBe("queued");
  });
});

describe("summary", () => {
  it("has the shape of the contract", () => {
    expect(v1.RunSummary.parse(runSummary(place))).toMatchObject({
      id: runId,
      status: "completed",
      createdAt: "1970-01-01T00:00:01.000Z",
      durationMs: 3_000,
      prompt: "do it",
      input: { a: 1 },
      usage: null,
      meta: { provider: "openai", model: null, usageSource: null, pricingSource: null },
    });
  });

  it("prefers the newer view and says where numbers come from", () => {
    const usage = {
      inputTokens: 1,
      outputTokens: 1,
      totalTokens: 2,
      cachedInputTokens: null,
      reasoningOutputTokens: null,
    };
    const cost = { currency: "USD", estimatedUsd: 0.1, pricingVersion: "v" };
    const newer: RunView = { ...view, status: "failed", output: null, usage, cost };
    const error = { code: "no_runner", error: "nobody came" } as const;
    expect(runSummary(place, { ...newer, error, provider: "qwen" })).toMatchObject({
      status: "error",
      error: "nobody came",
      meta: {
        provider: "qwen",
        usageSource: "response_usage",
        pricingSource: "model_pricing_table",
        errorCode: "no_runner",
      },
    });
  });
});
