import type { WorkspaceState } from "@millrace/contracts";
import type { HeldState } from "./held-state.ts";

/**
 * Does the directory hold the files to start from? It does when it is where the last finished run
 * ended, or where a later run (a cancelled one) left it. Edits that somebody made by hand since stay.
 */
export function decideRestore(
  held: HeldState | null,
  base: Pick<WorkspaceState, "runIndex" | "tree"> | null,
): "keep" | "restore" {
  if (base === null) return "keep";
  if (held === null || held.runIndex < base.runIndex) return "restore";
  if (held.runIndex > base.runIndex) return "keep";
  return held.tree === base.tree ? "keep" : "restore";
}
