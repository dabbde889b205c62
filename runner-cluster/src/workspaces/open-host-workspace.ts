import { mkdir, realpath, rm } from "node:fs/promises";
import type { Attempt } from "../attempt/attempt.ts";
import { cloneRepos } from "../repos/clone-repos.ts";
import { openWorkflow } from "../repos/workflow.ts";
import type { CageKind } from "./cage.ts";
import { commitProject } from "./commit-project.ts";
import { makeRepository } from "./git-skeleton.ts";
import type { HostConfig, HostSettings } from "./host-config.ts";
import { clonePlaceOf, HostWorkspace, type HostParts } from "./host-workspace.ts";
import { chooseCage } from "./isolation.ts";
import { layoutOf, prepareProject, prepareRoot } from "./project-layout.ts";
import type { ProjectLayout } from "./project-layout.ts";
import { acquireLock } from "./project-lock.ts";
import { readProjectRepository } from "./project-repository.ts";
import { restoreWorkspace } from "./restore-workspace.ts";
import { SnapshotRepository } from "./snapshot-repository.ts";
import type { Opened, Workspace, WorkspaceStart } from "./workspace.ts";

interface Host {
  /** Without symlinks. */
  readonly workspaceRoot: string;
  readonly cages: CageKind;
}

const hosts = new Map<string, Promise<Host>>();

/**
 * Makes the folders and finds out how commands can be isolated, once per process and root. Call it when the runner
 * starts: it throws IsolationUnavailable where isolation is required and impossible.
 */
export async function prepareHost(config: HostSettings): Promise<void> {
  await hostOf(config);
}

function hostOf(config: HostSettings): Promise<Host> {
  const key = JSON.stringify([config.workspaceRoot, config.isolation, config.visiblePaths]);
  const known = hosts.get(key);
  if (known) return known;
  const host = prepare(config);
  hosts.set(key, host);
  // What failed once may work when it is tried again.
  host.catch(() => hosts.delete(key));
  return host;
}

async function prepare(config: HostSettings): Promise<Host> {
  await prepareRoot(config.workspaceRoot);
  const workspaceRoot = await realpath(config.workspaceRoot);
  return { workspaceRoot, cages: await chooseCage({ ...config, workspaceRoot }) };
}

/** Takes the project's lock, ends what an earlier attempt left running, and brings the files to where this attempt goes on. */
export async function openHostWorkspace(
  start: WorkspaceStart,
  attempt: Attempt,
  config: HostConfig,
): Promise<Workspace> {
  const { workspaceRoot, cages } = await hostOf(config);
  const layout = layoutOf(workspaceRoot, start.projectId);
  const { log, runnerId, store } = config;
  await prepareProject(layout);
  const lock = await acquireLock({
    folder: layout.locks,
    runId: start.runId,
    attempt: start.attempt,
    runnerId,
    signal: attempt.signal,
    log,
  });
  try {
    if (start.attempt === 1) await clearLeftovers(layout);
    await makeRepository(layout.gitDir);
    const snapshots = await SnapshotRepository.open(layout, lock);
    const assertHeld = (): void => lock.assertHeld();
    const parts = { layout, lock, snapshots, start, config };
    const restored = await restoreWorkspace(
      { layout, snapshots, store, start, log, assertHeld },
      () => bringRepos(parts),
    );
    const workflow = await bringWorkflow(config, start.repos);
    const opened = { ...restored, workflow, isolated: cages.isolates };
    return new HostWorkspace({ ...parts, cages, attempt, opened });
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function bringWorkflow(
  { workflow, remotes }: HostConfig,
  repos: WorkspaceStart["repos"],
): Promise<Opened["workflow"]> {
  if (!workflow) return null;
  const { wish, folder } = workflow;
  return openWorkflow(wish, { folder, settings: remotes }, repos);
}

type RepoParts = Pick<HostParts, "layout" | "lock" | "snapshots" | "start" | "config">;

/** The files that a run's repositories bring are in the project's history before the run: what it changes can be seen there. */
async function bringRepos(parts: RepoParts): Promise<Opened["cloned"]> {
  const { layout, lock, snapshots, start, config } = parts;
  const repos = await cloneRepos(start.repos, clonePlaceOf(parts));
  if (repos.length === 0) return null;
  const assertHeld = (): void => lock.assertHeld();
  if (config.autoGitCommit && start.repos.recorded === null) {
    const names = repos.map(({ path }) => path).join(", ");
    const message = `chore(agent): start from ${names}`;
    const by = { layout, snapshots, identity: config.gitIdentity, runId: start.runId };
    await commitProject({ ...by, message, assertHeld });
  }
  const repository = await readProjectRepository(layout.gitDir);
  return { repos, tree: await snapshots.tree(repository?.head ?? null) };
}

/** Outputs and temporary files of the project's earlier runs. */
async function clearLeftovers(layout: ProjectLayout): Promise<void> {
  for (const folder of [layout.output, layout.tmp]) {
    // A command may have left a folder that not even its owner may enter.
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
    await mkdir(folder, { recursive: true, mode: 0o700 });
  }
}
