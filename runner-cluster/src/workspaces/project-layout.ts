import { constants, realpathSync } from "node:fs";
import { access, lstat, mkdir, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { ProjectId } from "@millrace/contracts";
import { WorkspaceRefusal } from "./workspace.ts";

/**
 *     WORKSPACE_ROOT/<project>/                  the files, a git repository of the user's own
 *     WORKSPACE_ROOT/.millrace/                  ours, 0700; project ids never begin with a dot
 *       locks/<project>/<n>.jsonl                who may write (project-lock.ts)
 *       snapshots/<project>.git                  states of the files, apart from the user's history
 *       repos/<project>/<path>.git|json          the clones of the run's repositories: their files lie in the project
 *       state/<project>.json                     which run's state the directory holds
 *       output/<project>/<call>.txt              tool outputs too large for an event
 *       home/<project>/  tmp/<project>/          HOME and /tmp of commands
 *       cage/<project>/                          mount points of isolated commands
 *       spool/                                   archives on their way to the platform
 */
export interface ProjectLayout {
  readonly projectId: string;
  readonly workspaceRoot: string;
  /** The project's directory. */
  readonly root: string;
  readonly gitDir: string;
  readonly locks: string;
  readonly snapshots: string;
  readonly repos: string;
  readonly stateFile: string;
  readonly output: string;
  readonly home: string;
  readonly tmp: string;
  readonly cage: string;
  readonly spool: string;
}

const ours = ".millrace";

export function layoutOf(workspaceRoot: string, projectId: string): ProjectLayout {
  const id = ProjectId.parse(projectId);
  const own = join(workspaceRoot, ours);
  const root = join(workspaceRoot, id);
  return {
    projectId: id,
    workspaceRoot,
    root,
    gitDir: join(root, ".git"),
    locks: join(own, "locks", id),
    snapshots: join(own, "snapshots", `${id}.git`),
    repos: join(own, "repos", id),
    stateFile: join(own, "state", `${id}.json`),
    output: join(own, "output", id),
    home: join(own, "home", id),
    tmp: join(own, "tmp", id),
    cage: join(own, "cage", id),
    spool: join(own, "spool"),
  };
}

/** Where everything of ours lies that belongs to no project. */
export const sharedFolder = (workspaceRoot: string, name: string): string =>
  join(workspaceRoot, ours, name);

/** Makes the folders that exist once per root, and removes archives that a killed runner left behind. */
export async function prepareRoot(workspaceRoot: string): Promise<void> {
  await mkdir(workspaceRoot, { recursive: true });
  await access(workspaceRoot, constants.W_OK | constants.X_OK);
  await mkdir(join(workspaceRoot, ours), { recursive: true, mode: 0o700 });
  const names = ["locks", "snapshots", "repos", "state", "output", "home", "tmp", "cage", "spool"];
  await Promise.all(
    names.map((name) => mkdir(sharedFolder(workspaceRoot, name), { recursive: true, mode: 0o700 })),
  );
  await sweepSpool(sharedFolder(workspaceRoot, "spool"));
}

/** An archive takes minutes at most; one that is a day old belongs to nobody, whatever process names it. */
const spoolMaxAgeMs = 24 * 60 * 60_000;

/** Spool files are named `<pid>-<random>.<kind>`. */
async function sweepSpool(spool: string): Promise<void> {
  for (const name of await readdir(spool)) {
    const pid = Number(name.split("-")[0]);
    const file = join(spool, name);
    const stat = await lstat(file).catch(() => undefined);
    const old = stat !== undefined && Date.now() - stat.mtimeMs > spoolMaxAgeMs;
    if (old || !isAlive(pid)) await rm(file, { force: true, recursive: true });
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Makes the project's own folders. Touches nothing that exists. */
export async function prepareProject(layout: ProjectLayout): Promise<void> {
  await mkdir(layout.root, { recursive: true });
  const stat = await lstat(layout.root);
  if (!stat.isDirectory()) {
    throw new WorkspaceRefusal("not_a_directory", `${layout.projectId} is not a directory`);
  }
  // Ids are case-sensitive; a disk that is not would give two projects one directory.
  if (basename(realpathSync.native(layout.root)) !== layout.projectId) {
    throw new WorkspaceRefusal(
      "project_name_clash",
      `another project's directory differs from ${layout.projectId} in upper and lower case only`,
    );
  }
  const own = [layout.locks, layout.output, layout.home, layout.tmp];
  await Promise.all(own.map((folder) => mkdir(folder, { recursive: true, mode: 0o700 })));
}
