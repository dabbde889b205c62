import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { EventData } from "@millrace/contracts";
import { AttemptFenced } from "../attempt/attempt.ts";
import { git, GitFailed, gitLine, type GitPlace } from "../workspaces/git.ts";
import { makeRepository } from "../workspaces/git-skeleton.ts";
import type { GitIdentity } from "../workspaces/host-config.ts";
import { gitExcludePatterns, isHiddenPath } from "../workspaces/path-policy.ts";
import { asBytes } from "../workspaces/snapshot-repository.ts";
import type { PushCommit } from "../workspaces/workspace.ts";
import { filesOf, writeNote, type ClonePlace } from "./clone-repos.ts";
import type { ClonedRepo } from "./cloned-repo.ts";
import { fetchCommit, push, reasonOf, type Remote, type Tip } from "./git-remote.ts";
import { checkAddress } from "./repo-address.ts";

export type PushEnd = EventData["workspace.pushed"];

export interface PushRequest extends PushCommit {
  readonly repo: ClonedRepo;
  readonly identity: GitIdentity;
}

/**
 * Commits the directory's files onto what was cloned, and pushes that to its branch: one commit, and nothing when nothing
 * has changed. Said again it changes nothing more. A branch that has moved meanwhile is left as it is.
 */
export async function pushRepo(request: PushRequest, place: ClonePlace): Promise<PushEnd> {
  const { url, path, branch, commitSha } = request.repo;
  const shown = { url, path };
  if (branch === null || commitSha === null) {
    return { outcome: "skipped", ...shown, reason: "unknown_base" };
  }
  try {
    const made = await commitAndPush(request, { branch, commitSha }, place);
    if (made === null) return { outcome: "skipped", ...shown, reason: "no_changes" };
    return { outcome: "pushed", ...shown, branch, commitSha: made };
  } catch (error) {
    if (error instanceof AttemptFenced) throw error;
    request.signal.throwIfAborted();
    place.assertHeld();
    place.log.warn("a repository could not be pushed", { ...shown, branch, error });
    return { outcome: "failed", ...shown, error: reasonOf(error) };
  }
}

async function commitAndPush(
  request: PushRequest,
  base: Tip,
  place: ClonePlace,
): Promise<string | null> {
  const { layout, settings, variables, assertHeld } = place;
  const { url, path } = request.repo;
  const address = checkAddress(url, settings.allowLoopback);
  if (!address.ok) throw new Error(address.problem);
  const { gitDir } = filesOf(layout, path);
  await makeRepository(gitDir, { exclude: gitExcludePatterns(), attributes: asBytes });
  const index = join(gitDir, "push-index");
  // One that a killed attempt left locked belongs to nobody: this attempt holds the workspace.
  await rm(`${index}.lock`, { force: true });
  const held = { gitDir, variables, assertHeld };
  const remote = { url: address.url, settings, signal: request.signal };
  await fetchCommit(held, remote, base);
  const tree = await treeOf({ ...held, workTree: join(layout.root, path), index }, base.commitSha);
  if (tree === (await gitLine(held, ["rev-parse", `${base.commitSha}^{tree}`]))) return null;
  const commitSha = await makeCommit(request, held, tree, base.commitSha);
  await pushPatiently(held, remote, { branch: base.branch, commitSha });
  // A later run that finds the directory on this disk goes on from here.
  await writeNote(layout, { url, path, branch: base.branch, commitSha });
  return commitSha;
}

const tries = 3;

/** A host that is away for a moment comes back; what it refuses, it refuses again. */
async function pushPatiently(place: GitPlace, remote: Remote, tip: Tip): Promise<void> {
  for (let n = 1; ; n += 1) {
    try {
      return await push(place, remote, tip);
    } catch (error) {
      const isRefusal = error instanceof GitFailed && refused.test(error.detail);
      if (!(error instanceof GitFailed) || isRefusal || n >= tries) throw error;
      await sleep(1_000 * n, undefined, { signal: remote.signal });
    }
  }
}

const refused =
  /rejected|denied|Authentication failed|could not read|not found|HTTP 4|error: 4\d\d/;

/** The files as they are. What no snapshot holds (path-policy.ts), and submodules, stay as they are committed. */
async function treeOf(place: GitPlace, base: string): Promise<string> {
  await git(place, ["read-tree", base]);
  // Exit 1: some files could not be added, such as a nested repository without a commit.
  await git(place, ["add", "-A", "--ignore-errors", "."], { accept: [1] });
  const changed = await git(place, ["diff-index", "--cached", "-z", "--no-renames", base]);
  const input = undoing(changed.toString("utf8").split("\0"));
  if (input !== "") await git(place, ["update-index", "-z", "--index-info"], { input });
  return gitLine(place, ["write-tree"]);
}

const submodule = "160000";

/** Of pairs of `:mode mode id id letter` and path, what brings back the first state of those that are not to change. */
function undoing(fields: readonly string[]): string {
  const undone: string[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [before = "", after = "", id = ""] = (fields[at] ?? "").slice(1).split(" ");
    const file = fields[at + 1] ?? "";
    const isSubmodule = before === submodule || after === submodule;
    if (isSubmodule || isHiddenPath(file)) undone.push(`${before} ${id}\t${file}\0`);
  }
  return undone.join("");
}

function makeCommit(
  { identity, message, at }: PushRequest,
  place: GitPlace,
  tree: string,
  parent: string,
): Promise<string> {
  const date = `@${Math.floor(at / 1000)} +0000`;
  const variables = {
    ...place.variables,
    GIT_AUTHOR_NAME: identity.name,
    GIT_AUTHOR_EMAIL: identity.email,
    GIT_AUTHOR_DATE: date,
    GIT_COMMITTER_NAME: identity.name,
    GIT_COMMITTER_EMAIL: identity.email,
    GIT_COMMITTER_DATE: date,
  };
  return gitLine({ ...place, variables }, ["commit-tree", tree, "-p", parent], { input: message });
}
