import { isOver, type ArchiveRecord, type RunView } from "@millrace/contracts";

/** Whether a run's workspace can be downloaded, may be some day, or never. */
export type ArchiveStanding =
  | { readonly kind: "stored"; readonly archive: ArchiveRecord }
  | { readonly kind: "pending" }
  | { readonly kind: "never" };

type Facts = Pick<RunView, "archive" | "status" | "archiveUntil">;

export function archiveStanding(view: Facts, now: number): ArchiveStanding {
  if (view.archive !== null) return { kind: "stored", archive: view.archive };
  const mayFollow = !isOver(view.status) || now <= (view.archiveUntil ?? 0);
  return { kind: mayFollow ? "pending" : "never" };
}
