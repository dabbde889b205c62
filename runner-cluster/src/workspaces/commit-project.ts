import { copyFile, lstat, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { git, gitLine, GitFailed, GitMissing } from "./git.ts";
import type { GitPlace } from "./git.ts";
import type { GitIdentity } from "./host-config.ts";
import type { ProjectLayout } from "./project-layout.ts";
import { readProjectRepository, RefLocked, writeRef } from "./project-repository.ts";
import type { ProjectRepository } from "./project-repository.ts";
import type { SnapshotRepository } from "./snapshot-repository.ts";
import type { Workspace } from "./workspace.ts";

export type CommitOutcome = Awaited<ReturnType<Workspace["commit"]>>;

export interface CommitRequest {
  readonly layout: ProjectLayout;
  readonly snapshots: SnapshotRepository;
  readonly identity: GitIdentity;
  readonly runId: string;
  readonly message: string;
  /** Throws when the workspace is another attempt's by now. */
  readonly assertHeld: () => void;
}

/** The tree of no files at all, which git knows without having it. */
const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/**
 * Commits all changed files to the project's HEAD, as `git add -A && git commit --no-verify` would, without
 * running git in the project's repository (project-repository.ts says why). A commit of this run with these very
 * files is answered, not made again.
 */
export async function commitProject(request: CommitRequest): Promise<CommitOutcome> {
  try {
    const repository = await readProjectRepository(request.layout.gitDir);
    if (repository === null) return { outcome: "skipped", reason: "not_git_repo" };
    return await commitTo(repository, request);
  } catch (error) {
    if (error instanceof GitMissing) return { outcome: "skipped", reason: "git_missing" };
    if (error instanceof GitFailed || error instanceof RefLocked) {
      return { outcome: "failed", error: error.message };
    }
    throw error;
  }
}

async function commitTo(
  repository: ProjectRepository,
  request: CommitRequest,
): Promise<CommitOutcome> {
  const { layout, snapshots } = request;
  const current = await snapshots.tree(repository.head);
  const last = await describe(snapshots.place, repository.head);
  const index = join(layout.spool, `${process.pid}-${request.runId}.index`);
  try {
    await copyFile(snapshots.indexFile, index);
    const tree = await keepUntouchable({ ...snapshots.place, index }, layout, last.tree, current);
    // Renamed, not written: the index there may be a link to somewhere else.
    const placeIndex = (): Promise<void> => {
      request.assertHeld();
      return rename(index, join(layout.gitDir, "index"));
    };
    if (tree === last.tree) {
      const commitSha = last.message.includes(request.runId) ? repository.head : null;
      if (commitSha === null) return { outcome: "skipped", reason: "no_changes" };
      // An attempt that died right after its commit may have left the index behind it.
      await placeIndex();
      return { outcome: "committed", commitSha };
    }
    const commitSha = await makeCommit(request, tree, repository.head);
    await snapshots.giveToProject([
      commitSha,
      ...(repository.head === null ? [] : [`^${repository.head}`]),
    ]);
    request.assertHeld();
    await writeRef(layout.gitDir, repository.branch ?? "HEAD", commitSha);
    await placeIndex();
    return { outcome: "committed", commitSha };
  } finally {
    await rm(index, { force: true });
  }
}

async function describe(
  place: GitPlace,
  head: string | null,
): Promise<{ readonly tree: string; readonly message: string }> {
  if (head === null) return { tree: emptyTree, message: "" };
  const text = await gitLine(place, ["log", "-1", "--format=%T%n%B", head]);
  const [tree = "", ...message] = text.split("\n");
  return { tree, message: message.join("\n") };
}

/**
 * The last commit may hold files that no snapshot has (a committed `.env`, a vendored `node_modules`). As
 * long as they are on disk they stay as they are committed; only a file that is gone is committed as gone.
 */
async function keepUntouchable(
  place: GitPlace,
  layout: ProjectLayout,
  before: string,
  now: string,
): Promise<string> {
  const args = ["diff-tree", "-r", "-z", "--diff-filter=D", before, now];
  if (before === emptyTree) return now;
  const fields = (await git(place, args)).toString("utf8").split("\0");
  const kept: string[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [mode = "", , id = ""] = (fields[at] ?? "").slice(1).split(" ");
    const path = fields[at + 1] ?? "";
    const exists = await lstat(join(layout.root, path)).catch(() => null);
    if (exists !== null && !exists.isDirectory()) kept.push(`${mode} ${id}\t${path}\0`);
  }
  if (kept.length === 0) return now;
  await git(place, ["update-index", "-z", "--index-info"], { input: kept.join("") });
  return gitLine(place, ["write-tree"]);
}

function makeCommit(request: CommitRequest, tree: string, parent: string | null): Promise<string> {
  const { name, email } = request.identity;
  const { place } = request.snapshots;
  const variables = {
    ...place.variables,
    GIT_AUTHOR_NAME: name,
    GIT_AUTHOR_EMAIL: email,
    GIT_COMMITTER_NAME: name,
    GIT_COMMITTER_EMAIL: email,
  };
  const parents = parent === null ? [] : ["-p", parent];
  const input = `${request.message}\n`;
  return gitLine({ ...place, variables }, ["commit-tree", tree, ...parents], { input });
}
