import { copyFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { AttemptFenced } from "../attempt/attempt.ts";
import type { Logger } from "../log.ts";
import { spoolFile } from "./archive-workspace.ts";
import { decideRestore } from "./decide-restore.ts";
import { git, GitMissing } from "./git.ts";
import { makeRepository } from "./git-skeleton.ts";
import { readHeldState } from "./held-state.ts";
import type { ProjectLayout } from "./project-layout.ts";
import { readProjectRepository, writeRef } from "./project-repository.ts";
import type { Carried, SnapshotRepository } from "./snapshot-repository.ts";
import type { Opened, WorkspaceStart } from "./workspace.ts";
import type { WorkspaceStore } from "./workspace-store.ts";

export interface RestoreRequest {
  readonly layout: ProjectLayout;
  readonly snapshots: SnapshotRepository;
  readonly store: WorkspaceStore;
  readonly start: WorkspaceStart;
  readonly log: Logger;
  /** Throws when the workspace is another attempt's by now. */
  readonly assertHeld: () => void;
}

type Restored = Omit<Opened, "isolated" | "workflow">;

/**
 * Brings the directory to where the attempt goes on: the end of the last finished run, what the run starts with besides
 * (`bring`), then the last checkpoint. What cannot be restored is said; the run goes on with the files that are there.
 */
export async function restoreWorkspace(
  request: RestoreRequest,
  bring: () => Promise<Opened["cloned"]>,
): Promise<Restored> {
  const missing: string[] = [];
  const base = await stage("the files of the project's last run", missing, request, restoreBase);
  const cloned = await bring();
  const steps = await stage("the changes of this run's last attempt", missing, request, applySteps);
  return { restored: base || steps, missing, cloned };
}

type Stage = (request: RestoreRequest, missing: string[]) => Promise<boolean>;

async function stage(
  what: string,
  missing: string[],
  request: RestoreRequest,
  run: Stage,
): Promise<boolean> {
  try {
    return await run(request, missing);
  } catch (error) {
    if (error instanceof AttemptFenced) throw error;
    request.log.error("a workspace could not be restored", { what, error });
    const reason = error instanceof GitMissing ? ": git is not installed on this runner" : "";
    missing.push(`${what} could not be restored${reason}`);
    return false;
  }
}

async function restoreBase(request: RestoreRequest, missing: string[]): Promise<boolean> {
  const { layout, snapshots, start } = request;
  const { base } = start;
  if (base === null) return false;
  const held = await readHeldState(layout.stateFile);
  if (decideRestore(held, base) === "keep") return false;
  const carried = await fetchBundle(request);
  if (carried === null) {
    missing.push("the files of the project's last run were not stored");
    return false;
  }
  await snapshots.checkout(base.tree);
  await restoreHistory(request, carried, missing);
  const nested = await snapshots.nestedRepositories(base.tree);
  for (const path of nested) missing.push(`${path} is a git repository of its own: not restored`);
  missing.push("ignored files and dependency folders, such as node_modules, were not restored");
  return true;
}

async function fetchBundle(request: RestoreRequest): Promise<Carried | null> {
  const file = spoolFile(request.layout, "bundle");
  try {
    if (!(await request.store.downloadBundle(file))) return null;
    return await request.snapshots.readBundle(file);
  } finally {
    await rm(file, { force: true });
  }
}

/** Branches move to where the bundle has them; where one stood before stays findable under a ref of ours. */
async function restoreHistory(
  request: RestoreRequest,
  carried: Carried,
  missing: string[],
): Promise<void> {
  const { layout, snapshots } = request;
  await makeRepository(layout.gitDir);
  const own = await readProjectRepository(layout.gitDir);
  if (own === null)
    missing.push("the project's git history was not restored: .git is not a plain one");
  if (own === null || carried.refs.size === 0) return;
  await snapshots.giveToProject([...carried.refs.values()]);
  for (const [name, id] of carried.refs) {
    request.assertHeld();
    const replaced = own.refs.get(name);
    if (replaced === id) continue;
    if (replaced !== undefined) {
      await writeRef(layout.gitDir, `refs/millrace/replaced/${replaced}`, replaced);
    }
    await writeRef(layout.gitDir, name, id);
  }
  if (carried.head === null) return;
  request.assertHeld();
  await writeRef(layout.gitDir, "HEAD", `ref: ${carried.head}`);
  const head = carried.refs.get(carried.head);
  if (head !== undefined) await writeIndex(request, head);
}

/** Without it the user's own `git status` would take every file for new. */
async function writeIndex(request: RestoreRequest, head: string): Promise<void> {
  const { layout, snapshots } = request;
  const index = spoolFile(layout, "index");
  try {
    await copyFile(snapshots.indexFile, index);
    await git({ ...snapshots.place, index }, ["read-tree", head]);
    request.assertHeld();
    await rename(index, join(layout.gitDir, "index"));
  } finally {
    await rm(index, { force: true });
  }
}

async function applySteps(request: RestoreRequest, missing: string[]): Promise<boolean> {
  const { snapshots, start } = request;
  const last = start.steps.at(-1);
  if (last === undefined) return false;
  if ((await snapshots.tree(null)) === last.tree) return false;
  if (!(await snapshots.has(last.tree))) {
    for (const { pack } of start.steps) {
      if (pack !== null) await snapshots.unpack(Buffer.from(pack, "base64"));
    }
  }
  if (!(await snapshots.has(last.tree))) {
    missing.push("the changes of this run's last attempt were not carried");
    return false;
  }
  await snapshots.checkout(last.tree);
  return true;
}
