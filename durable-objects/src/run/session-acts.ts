import { decideResume, decideStop } from "./decide-pause.ts";
import { decideSessionReport, type SessionNews } from "./decide-session-report.ts";
import type { OpenRun } from "./open-run.ts";

/** What the operator of a run's cluster asks of it, or says about it. Each is safe to repeat. */

export function isInCluster({ record }: OpenRun): boolean {
  return record.spec.workspaceBackend === "cluster";
}

export function stopRun(run: OpenRun): boolean {
  // What the runner sent before this moment counts.
  run.runners.flush();
  const draft = run.record.draft(Date.now());
  const answerMs = isInCluster(run) ? run.timings.stopAnswerMs : null;
  const change = decideStop(draft.state, { now: draft.now, answerMs });
  if (change === null) return false;
  draft.apply(change);
  run.record.commit(draft);
  return true;
}

export function resumeRun({ record }: OpenRun, by: string): boolean {
  const draft = record.draft(Date.now());
  const change = decideResume(draft.state, by, draft.now);
  if (change === null) return false;
  draft.apply(change);
  draft.dispatch();
  record.commit(draft);
  return true;
}

export function takeReport(run: OpenRun, news: SessionNews): void {
  run.runners.flush();
  const draft = run.record.draft(Date.now());
  const end = decideSessionReport(draft.state, news);
  if (end === null) return;
  draft.endAttempt(end, Math.random());
  run.record.commit(draft);
}

export function revokeTokens({ record }: OpenRun): boolean {
  const draft = record.draft(Date.now());
  const { stage } = draft.state;
  if (stage.kind !== "over") return false;
  if (stage.uploadsUntil === null) return true;
  const silentChanges = draft.state.silentChanges + 1;
  draft.state = { ...draft.state, silentChanges, stage: { ...stage, uploadsUntil: null } };
  record.commit(draft);
  return true;
}
