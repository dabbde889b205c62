import type { RunView, SessionRun } from "@millrace/contracts";

/** A run as the operator of its cluster sees it. */
export function sessionRunOf(view: RunView): SessionRun {
  const { spec, usage } = view;
  return {
    runId: spec.runId,
    projectId: spec.projectId,
    version: view.version,
    status: view.status,
    stopping: view.stopping ?? false,
    attempt: view.attempt,
    failures: view.failures,
    maxAttempts: spec.maxAttempts,
    startedAt: view.startedAt,
    waitedMs: view.waitedMs ?? 0,
    waiting: view.waiting ?? null,
    completedAt: view.completedAt,
    updatedAt: view.updatedAt,
    error: view.error,
    usage: usage && {
      inputTokens: usage.inputTokens,
      outputTokens: usage.outputTokens,
      totalTokens: usage.totalTokens,
    },
    costUsd: view.cost?.estimatedUsd ?? null,
    provider: view.provider,
    model: view.model,
    archived: view.archive !== null,
    url: `/v1/projects/${spec.projectId}/runs/${spec.runId}`,
    session: spec.session,
    traceparent: spec.traceparent,
  };
}
