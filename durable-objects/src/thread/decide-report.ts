import { isOver } from "@millrace/contracts";
import type { WorkspaceState } from "@millrace/contracts";
import type { StoredView } from "./state.ts";

export interface ReportedRun {
  readonly view: StoredView;
  readonly workspace: WorkspaceState | null;
}

export interface ReportDecision {
  readonly view: StoredView;
  readonly workspace: WorkspaceState | null;
  /** This report is the one that ended the run. */
  readonly ended: boolean;
  /** The assistant's message, when the run has one; storing it twice changes nothing. */
  readonly answer: string | null;
}

/**
 * Merges a report into what is known. Reports come at least once and in any order: a larger version wins.
 * Price, archive and workspace can follow the last event, under the same version, and never go away again.
 */
export function decideReport(known: ReportedRun, report: ReportedRun): ReportDecision {
  const view = mergeViews(known.view, report.view);
  return {
    view,
    workspace: newestWorkspace(known, report),
    ended: isOver(view.status) && !isOver(known.view.status),
    answer: answerOf(view),
  };
}

function mergeViews(known: StoredView, reported: StoredView): StoredView {
  const [older, newer] = isNewer(reported, known) ? [known, reported] : [reported, known];
  if (older.version !== newer.version) {
    return { ...newer, archive: newer.archive ?? older.archive };
  }
  return {
    ...newer,
    cost: newer.cost ?? older.cost,
    archive: newer.archive ?? older.archive,
  };
}

function isNewer(a: StoredView, b: StoredView): boolean {
  if (isOver(a.status) !== isOver(b.status)) return isOver(a.status);
  if (a.version !== b.version) return a.version > b.version;
  return a.updatedAt >= b.updatedAt;
}

function newestWorkspace(known: ReportedRun, report: ReportedRun): WorkspaceState | null {
  if (report.workspace === null) return known.workspace;
  if (known.workspace === null) return report.workspace;
  return report.view.version >= known.view.version ? report.workspace : known.workspace;
}

function answerOf(view: StoredView): string | null {
  if (view.status !== "succeeded" || view.output === null) return null;
  // Providers refuse an empty message, so a run that said nothing leaves none.
  return view.output.trim() === "" ? null : view.output;
}
