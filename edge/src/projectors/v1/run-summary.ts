import type { RunView, v1 } from "@millrace/contracts";
import type { ThreadRun } from "@millrace/durable-objects";
import { v1Status } from "./run-status.ts";

export const isoTime = (ms: number): string => new Date(ms).toISOString();
export const isoOrNull = (ms: number | null): string | null => (ms === null ? null : isoTime(ms));

/** A run as `/v1` shows it: its place from the thread, everything else from the newest view of it. */
export function runSummary(place: ThreadRun, view: RunView = place.view): v1.RunSummary {
  const { spec } = view;
  return {
    id: spec.runId,
    projectId: spec.projectId,
    runIndex: place.runIndex,
    writable: place.writable,
    parentRunId: place.parentRunId,
    status: v1Status(view),
    waiting: waitingOf(view),
    createdAt: isoTime(spec.createdAt),
    startedAt: isoOrNull(view.startedAt),
    completedAt: isoOrNull(view.completedAt),
    updatedAt: isoTime(view.updatedAt),
    prompt: spec.prompt,
    input: spec.input,
    output: view.output,
    error: view.error?.error ?? null,
    durationMs: duration(view),
    usage: view.usage,
    cost: view.cost,
    meta: runMeta(view),
  };
}

export function waitingOf({ waiting }: RunView): v1.RunSummary["waiting"] {
  return waiting ? { ...waiting, since: isoTime(waiting.since) } : null;
}

function duration({ startedAt, completedAt }: RunView): number | null {
  return startedAt === null || completedAt === null ? null : completedAt - startedAt;
}

function runMeta(view: RunView): v1.RunSummary["meta"] {
  const { spec } = view;
  return {
    provider: view.provider ?? spec.provider,
    model: view.model ?? spec.model,
    modelSource: view.modelSource,
    usageSource: view.usage === null ? null : "response_usage",
    pricingSource: view.cost === null ? null : "model_pricing_table",
    attempt: view.attempt,
    maxAttempts: spec.maxAttempts,
    sandboxId: null,
    workspaceBackend: spec.workspaceBackend,
    pool: spec.pool,
    // Runs from before it was recorded have none.
    owner: spec.owner ?? null,
    idempotencyKey: spec.idempotencyKey,
    errorCode: view.error?.code ?? null,
    errorReason: view.error?.reason ?? null,
  };
}
