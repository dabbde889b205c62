import type { UploadComplete, UploadKind } from "@millrace/contracts";
import { isCurrent } from "./decide-dispatch.ts";
import type { RunState } from "./state.ts";

/** May this attempt store archives now? While it executes, and for a while after it ended the run. */
export function decideUpload(
  state: RunState,
  attempt: number,
  now: number,
): "allowed" | "fenced" | "run_over" {
  if (isCurrent(state, attempt)) return "allowed";
  if (state.stage.kind !== "over") return "fenced";
  if (state.attempt !== attempt) return "fenced";
  const { uploadsUntil } = state.stage;
  return uploadsUntil !== null && now <= uploadsUntil ? "allowed" : "run_over";
}

const fileNames = { zip: "workspace.zip", bundle: "workspace.bundle" } as const;

/** Where an attempt's archive lies: its own place, so that a stale attempt never overwrites another's. */
export function uploadKey(
  run: { readonly orgId: string; readonly runId: string },
  attempt: number,
  kind: UploadKind,
): string {
  return `${run.orgId}/runs/${run.runId}/attempt-${attempt}/${fileNames[kind]}`;
}

/** The state that knows a stored archive or bundle. Storing the same again changes nothing. */
export function recordUpload(
  state: RunState,
  run: { readonly runId: string; readonly runIndex: number },
  stored: UploadComplete,
  at: number,
): RunState {
  const { key, sizeBytes } = stored;
  const fileCount = stored.kind === "zip" ? stored.fileCount : null;
  const { runId, runIndex } = run;
  const archive =
    stored.kind === "zip" ? { key, sizeBytes, fileCount: stored.fileCount } : state.archive;
  const workspace =
    stored.kind === "bundle"
      ? { runId, runIndex, tree: stored.tree, bundleKey: key }
      : state.workspace;
  const known = state.artifacts.find((artifact) => artifact.key === key);
  const isSame =
    known?.sizeBytes === sizeBytes &&
    known.fileCount === fileCount &&
    state.workspace?.tree === workspace?.tree;
  if (isSame) return state;
  const artifact = { key, kind: stored.kind, attempt: state.attempt, sizeBytes, fileCount, at };
  return {
    ...state,
    archive,
    workspace,
    artifacts: [...state.artifacts.filter((other) => other !== known), artifact],
    silentChanges: state.silentChanges + 1,
    updatedAt: at,
  };
}
