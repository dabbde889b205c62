import { rm, stat } from "node:fs/promises";
import { spoolFile } from "./archive-workspace.ts";
import type { ProjectLayout } from "./project-layout.ts";
import { readProjectRepository } from "./project-repository.ts";
import type { SnapshotRepository } from "./snapshot-repository.ts";
import type { WorkspaceStore } from "./workspace-store.ts";

export interface StateUpload {
  readonly layout: ProjectLayout;
  readonly snapshots: SnapshotRepository;
  readonly store: WorkspaceStore;
  readonly tree: string;
}

/** Uploads the files' state and the project's own history as one bundle, for a runner that has neither. */
export async function uploadState(upload: StateUpload): Promise<void> {
  const { layout, snapshots, store, tree } = upload;
  const own = await readProjectRepository(layout.gitDir);
  const file = spoolFile(layout, "bundle");
  try {
    const carried = { refs: own?.refs ?? new Map<string, string>(), head: own?.branch ?? null };
    await snapshots.writeBundle(file, tree, carried);
    const { size } = await stat(file);
    await store.upload(file, { kind: "bundle", sizeBytes: size, tree });
  } finally {
    await rm(file, { force: true });
  }
  await snapshots.tidy();
}
