import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { git, GitFailed, gitLine, GitTooMuch, pipeGit } from "./git.ts";
import type { GitPlace } from "./git.ts";
import { makeRepository } from "./git-skeleton.ts";
import { gitExcludePatterns, isHiddenPath } from "./path-policy.ts";
import { markerVariable } from "./process-groups.ts";
import type { ProjectLayout } from "./project-layout.ts";
import type { ProjectLock } from "./project-lock.ts";

/** A pack below this becomes loose objects: hundreds of tiny packs would slow every look-up. */
const loosePackBytes = 1024 * 1024;

const stateRef = "refs/millrace/state";
const replacedRef = "refs/millrace/replaced";
const carriedRefs = "refs/project/";

/** No line endings, no encodings, no keywords, no filters: every file is bytes. */
export const asBytes = "* -text -eol -ident -filter -working-tree-encoding\n";

type HeldLock = Pick<ProjectLock, "marker" | "assertHeld">;

/** What a bundle holds besides the files: the project's own branches and tags. */
export interface Carried {
  /** Names as in the project's repository, e.g. refs/heads/main. */
  readonly refs: ReadonlyMap<string, string>;
  /** The branch that HEAD names. */
  readonly head: string | null;
}

/**
 * States of a project's files as git trees, in a repository beside the project, so that no state shows in the user's
 * history and nothing that a command writes into `.git` has a say. Contents are kept byte for byte: attributes of the
 * project (line endings, filters) do not apply. Left out: what `.gitignore` or the path policy leaves out.
 */
export class SnapshotRepository {
  readonly #place: GitPlace;
  readonly #index: string;
  readonly #projectObjects: string;

  private constructor(layout: ProjectLayout, lock: HeldLock) {
    this.#index = join(layout.snapshots, "index");
    this.#projectObjects = join(layout.gitDir, "objects");
    this.#place = {
      gitDir: layout.snapshots,
      workTree: layout.root,
      index: this.#index,
      assertHeld: () => lock.assertHeld(),
      variables: {
        // A successor finds and ends a git that outlived its runner.
        [markerVariable]: lock.marker,
        GIT_AUTHOR_NAME: "millrace",
        GIT_AUTHOR_EMAIL: "millrace@localhost",
        GIT_COMMITTER_NAME: "millrace",
        GIT_COMMITTER_EMAIL: "millrace@localhost",
      },
    };
  }

  /** The caller holds the project's lock: a lock file of git's that is still there belongs to nobody. */
  static async open(layout: ProjectLayout, lock: HeldLock): Promise<SnapshotRepository> {
    await makeRepository(layout.snapshots, { exclude: gitExcludePatterns(), attributes: asBytes });
    lock.assertHeld();
    await rm(join(layout.snapshots, "index.lock"), { force: true });
    return new SnapshotRepository(layout, lock);
  }

  /** Where git reads the project's objects too; writes still go to this repository. */
  get place(): GitPlace {
    return { ...this.#place, alternates: this.#projectObjects };
  }

  /** With the files' modification times in it, so a copy of it is a fresh index of the project. */
  get indexFile(): string {
    return this.#index;
  }

  /** The tree of the files as they are now. `seed` is the project's HEAD: what it tracks is tracked here, ignored or not. */
  async tree(seed: string | null): Promise<string> {
    try {
      return await this.#build(seed);
    } catch (error) {
      if (!(error instanceof GitFailed)) throw error;
      // A damaged index, or a HEAD whose objects are gone: the files themselves are still there.
      await rm(this.#index, { force: true });
      return this.#build(null);
    }
  }

  async #build(seed: string | null): Promise<string> {
    if (seed !== null && !existsSync(this.#index)) await this.#trackWhatIsCommitted(seed);
    // Exit 1: some files could not be added, such as a nested repository without a commit.
    await git(this.#place, ["add", "-A", "--ignore-errors", "."], { accept: [1] });
    const listed = splitNul(await git(this.#place, ["ls-files", "-z"]));
    const hidden = listed.filter(isHiddenPath);
    if (hidden.length > 0) {
      const input = hidden.map((path) => `${path}\0`).join("");
      await git(this.#place, ["update-index", "-z", "--force-remove", "--stdin"], { input });
    }
    return gitLine(this.#place, ["write-tree"]);
  }

  /** With the objects, since a command may delete the project's `.git` at any time. */
  async #trackWhatIsCommitted(commit: string): Promise<void> {
    await copyObjects(this.place, this.#place, `${commit}^{tree}\n`);
    await git(this.#place, ["read-tree", await this.#treeOf(commit)]);
  }

  #treeOf(commit: string): Promise<string> {
    return gitLine(this.place, ["rev-parse", `${commit}^{tree}`]);
  }

  async has(tree: string): Promise<boolean> {
    const args = ["cat-file", "-e", `${tree}^{tree}`];
    return git(this.#place, args).then(
      () => true,
      () => false,
    );
  }

  /** The objects of `tree` that `since` has not; null when they take more than `maxBytes`. */
  async pack(tree: string, since: string | null, maxBytes: number): Promise<Buffer | null> {
    const input = since === null ? `${tree}\n` : `${tree}\n^${since}\n`;
    try {
      return await git(this.#place, packObjects, { input, maxBytes });
    } catch (error) {
      if (error instanceof GitTooMuch) return null;
      throw error;
    }
  }

  async unpack(pack: Buffer): Promise<void> {
    const verb =
      pack.byteLength < loosePackBytes ? ["unpack-objects", "-q"] : ["index-pack", "--stdin"];
    await git(this.#place, verb, { input: pack });
  }

  /** Makes the directory equal to `tree`; what is ignored stays. The state that it replaces remains under a ref. */
  async checkout(tree: string): Promise<void> {
    const before = await this.tree(null);
    if (before === tree) return;
    await git(this.#place, ["update-ref", `${replacedRef}/${before}`, before]);
    await git(this.#place, ["read-tree", "--reset", "-u", tree]);
  }

  /** Paths that are repositories of their own: git notes that they exist, and carries nothing of them. */
  async nestedRepositories(tree: string): Promise<readonly string[]> {
    const rows = splitNul(await git(this.#place, ["ls-tree", "-r", "-z", tree]));
    return rows.filter((row) => row.startsWith("160000 ")).map((row) => row.split("\t")[1] ?? "");
  }

  /** One file with the tree and the project's own history. */
  async writeBundle(file: string, tree: string, carried: Carried): Promise<void> {
    const place = this.place;
    const input = JSON.stringify({ head: carried.head });
    const state = await gitLine(place, ["commit-tree", tree], { input });
    const refs = [...carried.refs].map(([name, id]) => ({ name: inBundle(name), id }));
    const updates = [{ name: stateRef, id: state }, ...refs];
    await git(place, ["update-ref", "--stdin"], {
      input: updates.map(({ name, id }) => `update ${name} ${id}\n`).join(""),
    });
    try {
      await git(place, ["bundle", "create", "-q", file, "--stdin"], {
        input: updates.map(({ name }) => `${name}\n`).join(""),
      });
    } finally {
      // Their objects are the project's; without it these refs would lead nowhere.
      await git(place, ["update-ref", "--stdin"], {
        input: refs.map(({ name }) => `delete ${name}\n`).join(""),
      });
    }
  }

  /** Takes in a bundle; answers the tree and the history that it carries. */
  async readBundle(file: string): Promise<Carried & { readonly tree: string }> {
    const listing = await gitLine(this.#place, ["bundle", "unbundle", file]);
    const found = new Map<string, string>();
    for (const row of listing.split("\n")) {
      const [id = "", name = ""] = row.split(" ");
      found.set(name, id);
    }
    const state = found.get(stateRef);
    if (state === undefined) throw new Error("the bundle holds no state");
    const [tree = "", ...message] = (
      await gitLine(this.#place, ["log", "-1", "--format=%T%n%B", state])
    ).split("\n");
    const refs = [...found].flatMap(([name, id]): [string, string][] =>
      name.startsWith(carriedRefs) ? [[`refs/${name.slice(carriedRefs.length)}`, id]] : [],
    );
    return { tree, head: headOf(message.join("\n")), refs: new Map(refs) };
  }

  /** Copies what these commits need into the project's own object store. */
  async giveToProject(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const project = { ...this.#place, objects: this.#projectObjects };
    await copyObjects(this.place, project, ids.map((id) => `${id}\n`).join(""));
  }

  /** Drops what no ref names, when there is much of it. States of a run that is over are such. */
  async tidy(): Promise<void> {
    const counted = await gitLine(this.#place, ["count-objects"]);
    if (Number.parseInt(counted, 10) > 5_000) await git(this.#place, ["gc", "-q", "--prune=now"]);
  }
}

const packObjects: readonly string[] = ["pack-objects", "--revs", "--stdout", "-q"];

/** `revisions` as pack-objects reads them: one a line, `^` before what the other has. */
function copyObjects(from: GitPlace, to: GitPlace, revisions: string): Promise<void> {
  const source = { place: from, args: packObjects };
  return pipeGit(source, { place: to, args: ["index-pack", "--stdin"] }, revisions);
}

const inBundle = (name: string): string => name.replace(/^refs\//, carriedRefs);

const splitNul = (output: Buffer): readonly string[] =>
  output
    .toString("utf8")
    .split("\0")
    .filter((text) => text !== "");

function headOf(message: string): string | null {
  const parsed: unknown = JSON.parse(message);
  if (typeof parsed !== "object" || parsed === null || !("head" in parsed)) return null;
  return typeof parsed.head === "string" ? parsed.head : null;
}
