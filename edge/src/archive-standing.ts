import { isOver, limits, type ArchiveRecord, type RunView } from "@millrace/contracts";

/** Whether a run's workspace can be downloaded, may be some day, or never. */
export type ArchiveStanding =
  | { readonly kind: "stored"; readonly archive: ArchiveRecord }
  | { readonly kind: "pending" }
  | { readonly kind: "never" };

type Facts = Pick<RunView, "archive" | "status" | "hadWorkspace" | "completedAt">;

export function archiveStanding(view: Facts, now: number): ArchiveStanding {
  if (view.archive !== null) return { kind: "stored", archive: view.archive };
  if (!isOver(view.status)) return { kind: "pending" };
  // Only a cancel does not wait for the archive; every other end comes after it or without it.
  const mayFollow = view.status === "cancelled" && view.hadWorkspace;
  const isLate = now - (view.completedAt ?? 0) > limits.lateArchiveMs;
  return mayFollow && !isLate ? { kind: "pending" } : { kind: "never" };
}
