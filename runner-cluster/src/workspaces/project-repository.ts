import { lstat, mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";

/**
 * The project's own repository, read and written as files. Commands may write anything into `.git` (filters,
 * hooks, includes, a worktree elsewhere), so git itself never runs on it: what is needed from it is where HEAD and the refs
 * point, and objects are only data.
 */
export interface ProjectRepository {
  /** The branch that HEAD names; null when HEAD is a commit. */
  readonly branch: string | null;
  /** The commit that HEAD leads to; null before the first one. */
  readonly head: string | null;
  /** Branches and tags. */
  readonly refs: ReadonlyMap<string, string>;
}

const objectId = /^[0-9a-f]{40}$/;
const refName =
  /^refs\/(?:heads|tags|millrace)(?:\/(?![.])(?!.*\.lock(?:\/|$))[^\0-\x20~^:?*[\\\x7f/]+)+$/;

const isRefName = (name: string): boolean => refName.test(name) && !/\.\.|@\{/.test(name);

/** Null: not a repository of the plain kind, with everything in its own folder. */
export async function readProjectRepository(gitDir: string): Promise<ProjectRepository | null> {
  if (!(await isPlain(gitDir))) return null;
  const refs = new Map([
    ...(await readPackedRefs(gitDir)),
    ...(await readLooseRefs(gitDir, "refs/heads")),
    ...(await readLooseRefs(gitDir, "refs/tags")),
  ]);
  const text = (await readFile(join(gitDir, "HEAD"), "utf8")).trim();
  if (objectId.test(text)) return { branch: null, head: text, refs };
  const branch = /^ref: (refs\/heads\/.+)$/.exec(text)?.[1];
  if (branch === undefined || !isRefName(branch)) return null;
  return { branch, head: refs.get(branch) ?? null, refs };
}

/** A link, a `gitdir:` file, a borrowed object store or another format could lead into another project. */
async function isPlain(gitDir: string): Promise<boolean> {
  const folders = ["", "objects", "refs", "refs/heads"].map((name) => join(gitDir, name));
  const kinds = await Promise.all(folders.map((path) => lstat(path).catch(() => null)));
  if (!kinds.every((stat) => stat?.isDirectory() === true)) return false;
  const head = await lstat(join(gitDir, "HEAD")).catch(() => null);
  if (head?.isFile() !== true) return false;
  const foreign = ["objects/info/alternates", "commondir", "reftable"];
  const found = await Promise.all(
    foreign.map((name) => lstat(join(gitDir, name)).catch(() => null)),
  );
  return found.every((stat) => stat === null);
}

async function readPackedRefs(gitDir: string): Promise<ReadonlyMap<string, string>> {
  const path = join(gitDir, "packed-refs");
  const stat = await lstat(path).catch(() => null);
  if (stat?.isFile() !== true) return new Map();
  const rows = (await readFile(path, "utf8")).split("\n").map((row) => row.split(" "));
  return new Map(
    rows.flatMap(([id = "", name = ""]): [string, string][] =>
      objectId.test(id) && isRefName(name) ? [[name, id]] : [],
    ),
  );
}

async function readLooseRefs(gitDir: string, under: string): Promise<readonly [string, string][]> {
  const entries = await readdir(join(gitDir, under), { withFileTypes: true }).catch(() => []);
  const found = await Promise.all(
    entries.map(async (entry): Promise<readonly [string, string][]> => {
      const name = `${under}/${entry.name}`;
      if (entry.isDirectory()) return readLooseRefs(gitDir, name);
      if (!entry.isFile() || !isRefName(name)) return [];
      const id = (await readFile(join(gitDir, name), "utf8")).trim();
      return objectId.test(id) ? [[name, id]] : [];
    }),
  );
  return found.flat();
}

/** Points a branch, a tag or HEAD somewhere, by git's own protocol: a lock file that becomes the ref. */
export async function writeRef(gitDir: string, name: string, content: string): Promise<void> {
  if (name !== "HEAD" && !isRefName(name)) throw new Error(`${name} is no name of a ref`);
  const names = name.split("/");
  let folder = gitDir;
  for (const segment of names.slice(0, -1)) {
    folder = join(folder, segment);
    await mkdir(folder).catch(() => undefined);
    // Another project's branches would be written through a link.
    if (!(await lstat(folder)).isDirectory()) throw new Error(`${folder} is not a directory`);
  }
  const file = join(gitDir, name);
  await writeLock(`${file}.lock`, content);
  await rename(`${file}.lock`, file);
}

/** Somebody's git is at work in the project right now. */
export class RefLocked extends Error {
  override readonly name = "RefLocked";
}

/** Git holds such a lock for milliseconds; an old one is left over from a process that was killed. */
const staleLockMs = 10_000;

async function writeLock(lock: string, content: string): Promise<void> {
  const found = await lstat(lock).catch(() => null);
  if (found !== null && Date.now() - found.mtimeMs > staleLockMs) await rm(lock, { force: true });
  await writeFile(lock, `${content}\n`, { flag: "wx" }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
    throw new RefLocked(`${basename(lock)} exists: another git is at work in the project`, {
      cause: error,
    });
  });
}
