import { lstat, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { EventData, Repo } from "@millrace/contracts";
import type { Logger } from "../log.ts";
import { git, type GitPlace } from "../workspaces/git.ts";
import { makeRepository } from "../workspaces/git-skeleton.ts";
import { gitExcludePatterns } from "../workspaces/path-policy.ts";
import type { ProjectLayout } from "../workspaces/project-layout.ts";
import { asBytes } from "../workspaces/snapshot-repository.ts";
import { ClonedRepo } from "./cloned-repo.ts";
import {
  fetchCommit,
  fetchTip,
  reasonOf,
  type Remote,
  type RemoteSettings,
  type Tip,
} from "./git-remote.ts";
import { checkAddress, nameDirectories, shownAddress } from "./repo-address.ts";

export type RepoState = EventData["workspace.repo"];

/** The repositories that a run starts with. */
export interface RepoRequest {
  readonly wanted: readonly Repo[];
  /** As an earlier attempt of the run had them; null: none came so far. */
  readonly recorded: readonly ClonedRepo[] | null;
  readonly onState: (state: RepoState) => void;
  readonly signal: AbortSignal;
}

export interface ClonePlace {
  readonly layout: ProjectLayout;
  readonly settings: RemoteSettings;
  readonly log: Logger;
  /** For every git that is started. */
  readonly variables: Readonly<Record<string, string>>;
  /** Throws when the workspace is another attempt's by now. */
  readonly assertHeld: () => void;
}

/** A repository of the run could not be brought. The message names it, for the run's user. */
export class RepositoryFailed extends Error {
  override readonly name = "RepositoryFailed";
}

interface Wish {
  readonly url: string;
  readonly branch: string | null;
  readonly path: string;
  readonly recorded: ClonedRepo | undefined;
}

const atOnce = 4;

/**
 * Brings each repository into a directory of its own, with its files alone: what git knows of it lies beside the project,
 * where no command of the run writes (ADR 0007). A directory that is there stays as it is. It appears whole or not at
 * all, so that an attempt that was killed in between leaves nothing behind that another would take for a clone.
 *
 * Throws RepositoryFailed when one of them could not be brought, after the others had their time.
 */
export async function cloneRepos(
  request: RepoRequest,
  place: ClonePlace,
): Promise<readonly ClonedRepo[]> {
  if (request.wanted.length === 0) return [];
  await mkdir(place.layout.repos, { recursive: true, mode: 0o700 });
  await clearHalfDone(place.layout.repos);
  const queue = wishesOf(request);
  const done: ClonedRepo[] = [];
  const failures: RepositoryFailed[] = [];
  const work = async (): Promise<void> => {
    for (let wish = queue.shift(); wish; wish = queue.shift()) {
      const end = await bring(wish, request, place).catch((error: unknown) => {
        if (error instanceof RepositoryFailed) return error;
        throw error;
      });
      if (end instanceof RepositoryFailed) failures.push(end);
      else done.push(end);
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: atOnce }, work));
  for (const one of ended) if (one.status === "rejected") throw one.reason;
  if (failures.length > 0) throw new RepositoryFailed(failures.map((f) => f.message).join("\n"));
  return done.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

function wishesOf({ wanted, recorded }: RepoRequest): Wish[] {
  const paths = nameDirectories(wanted.map(({ url }) => url));
  return wanted.map(({ url, branch }, at) => {
    const path = paths[at] ?? "";
    return { url, branch, path, recorded: recorded?.find((one) => one.path === path) };
  });
}

async function bring(wish: Wish, request: RepoRequest, place: ClonePlace): Promise<ClonedRepo> {
  const { path, branch } = wish;
  const shown = { url: shownAddress(wish.url), path };
  const { signal, onState } = request;
  try {
    if (await lstat(join(place.layout.root, path)).catch(() => null)) {
      onState({ state: "kept", ...shown });
      return wish.recorded ?? (await keptRepo(shown, place.layout));
    }
    onState({ state: "cloning", ...shown, branch });
    const onPercent = (percent: number): void =>
      onState({ state: "cloning", ...shown, branch, percent });
    const tip = await clone(wish, { signal, onPercent }, place);
    onState({ state: "ready", ...shown, ...tip });
    return { ...shown, ...tip };
  } catch (error) {
    signal.throwIfAborted();
    place.assertHeld();
    const reason = reasonOf(error);
    place.log.warn("a repository could not be cloned", { ...shown, error });
    onState({ state: "failed", ...shown, error: reason });
    const message = `The repository ${shown.url} could not be cloned: ${reason}`;
    throw new RepositoryFailed(message, { cause: error });
  }
}

/** What an earlier run of the project on this disk noted of the directory. */
async function keptRepo(
  shown: Pick<ClonedRepo, "url" | "path">,
  layout: ProjectLayout,
): Promise<ClonedRepo> {
  const noted = await readNote(layout, shown.path);
  return noted?.url === shown.url ? noted : { ...shown, branch: null, commitSha: null };
}

async function clone(
  wish: Wish,
  watch: Required<Pick<Remote, "signal" | "onPercent">>,
  place: ClonePlace,
): Promise<Tip> {
  const { signal } = watch;
  const { layout, settings, variables, assertHeld } = place;
  const address = checkAddress(wish.url, settings.allowLoopback);
  if (!address.ok) throw new Error(address.problem);
  const { gitDir, note } = filesOf(layout, wish.path);
  // Without its directory whatever is left of an earlier clone serves nothing.
  await rm(note, { force: true });
  await rm(gitDir, { recursive: true, force: true });
  await makeRepository(gitDir, { exclude: gitExcludePatterns(), attributes: asBytes });
  const remote = { url: address.url, settings, ...watch };
  const held = { gitDir, variables, assertHeld };
  const tip = await fetchWanted(held, remote, wish);
  const half = join(layout.repos, `${wish.path}.half`);
  await mkdir(half);
  const checkout = ["read-tree", "--reset", "-u", tip.commitSha];
  await git({ ...held, workTree: half, index: join(gitDir, "index") }, checkout, { signal });
  assertHeld();
  await writeNote(layout, { url: shownAddress(wish.url), path: wish.path, ...tip });
  assertHeld();
  await rename(half, join(layout.root, wish.path));
  return tip;
}

async function fetchWanted(
  held: GitPlace,
  remote: Remote,
  { recorded, branch }: Wish,
): Promise<Tip> {
  if (!recorded?.branch || !recorded.commitSha) return fetchTip(held, remote, branch);
  const tip = { branch: recorded.branch, commitSha: recorded.commitSha };
  await fetchCommit(held, remote, tip);
  return tip;
}

/** What there is of a clone beside the project. `note` says what it is; it is there only when all of it is. */
export function filesOf(layout: ProjectLayout, path: string) {
  return {
    gitDir: join(layout.repos, `${path}.git`),
    note: join(layout.repos, `${path}.json`),
  };
}

/** Written beside and renamed: a half one would be none. */
export async function writeNote(layout: ProjectLayout, repo: ClonedRepo): Promise<void> {
  const { note } = filesOf(layout, repo.path);
  await writeFile(`${note}.half`, JSON.stringify(repo));
  await rename(`${note}.half`, note);
}

async function readNote(layout: ProjectLayout, path: string): Promise<ClonedRepo | null> {
  const text = await readFile(filesOf(layout, path).note, "utf8").catch(() => null);
  if (text === null) return null;
  try {
    const noted = ClonedRepo.safeParse(JSON.parse(text));
    return noted.success ? noted.data : null;
  } catch {
    return null;
  }
}

async function clearHalfDone(folder: string): Promise<void> {
  const names = await readdir(folder);
  const half = names.filter((name) => name.endsWith(".half"));
  await Promise.all(half.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}
