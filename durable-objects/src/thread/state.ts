import { RunView } from "@millrace/contracts";
import type { RunSpec, WorkspaceState } from "@millrace/contracts";
import type { z } from "zod";

/** A view as the thread stores it: the spec has its own column and never changes. */
export const StoredView = RunView.omit({ spec: true });
export type StoredView = z.infer<typeof StoredView>;

/** A run as the thread keeps it. */
export interface StoredRun {
  readonly runId: string;
  readonly runIndex: number;
  readonly parentRunId: string | null;
  readonly writable: boolean;
  readonly fingerprint: string;
  readonly spec: RunSpec;
  readonly view: StoredView;
  readonly over: boolean;
  readonly releasedAt: number | null;
  readonly heardAt: number;
  readonly workspace: WorkspaceState | null;
}

/**
 * What the thread still owes, at least once:
 *
 *     init      the run object must know its spec
 *     release   the run object must know its spec and that its predecessors are over
 *     ask       somebody waits behind this run: ask how it is, should it stay silent
 *     register  the project's row in D1 is behind
 */
export type DueKind = "init" | "release" | "ask" | "register";

export interface DueItem {
  readonly kind: DueKind;
  /** The run that it is about; empty for the thread itself. */
  readonly subject: string;
  readonly at: number;
  readonly tries: number;
}

/** How a run looks before its object has said anything. Version 0 is older than any report. */
export function viewOfNewRun(now: number): StoredView {
  return {
    version: 0,
    status: "queued",
    cancelled: false,
    attempt: 0,
    failures: 0,
    startedAt: null,
    completedAt: null,
    updatedAt: now,
    output: null,
    error: null,
    usage: null,
    cost: null,
    provider: null,
    model: null,
    modelSource: null,
    archive: null,
    archiveUntil: null,
  };
}
