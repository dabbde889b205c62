import { mkdir, readFile, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { git } from "../workspaces/git.ts";
import { makeRepository } from "../workspaces/git-skeleton.ts";
import { asBytes } from "../workspaces/snapshot-repository.ts";
import { isWithin } from "../workspaces/system-view.ts";
import { RepositoryFailed, type RepoRequest } from "./clone-repos.ts";
import { fetchTip, reasonOf, type RemoteSettings, type Tip } from "./git-remote.ts";
import { checkAddress, shownAddress } from "./repo-address.ts";

/** A repository that says how to work, as a session's spec names it. */
export const WorkflowWish = z.object({
  gitUrl: z.string(),
  branch: z.string(),
  /** The folder with the instructions; "" is the root. */
  path: z.string(),
});
export type WorkflowWish = z.infer<typeof WorkflowWish>;

export interface Workflow {
  /** Absolute. Isolated commands may read it. */
  readonly folder: string;
  readonly file: string;
  readonly instructions: string;
}

export interface WorkflowPlace {
  /** A directory for it alone. What is in there goes. */
  readonly folder: string;
  readonly settings: RemoteSettings;
}

/** The first that is there counts. */
const instructionFiles = ["AGENTS.md", "CLAUDE.md"];
const instructionsMaxChars = 64 * 1024;

/** Brings the workflow's files as they are now. Throws RepositoryFailed, also when it has no instructions. */
export async function openWorkflow(
  wish: WorkflowWish,
  { folder, settings }: WorkflowPlace,
  { onState, signal }: Pick<RepoRequest, "onState" | "signal">,
): Promise<Workflow> {
  const shown = { url: shownAddress(wish.gitUrl), path: folder };
  onState({ state: "cloning", ...shown, branch: wish.branch });
  try {
    const tip = await bring(wish, { folder, settings }, signal);
    const workflow = await readInstructions(folder, wish.path);
    onState({ state: "ready", ...shown, ...tip });
    return workflow;
  } catch (error) {
    signal.throwIfAborted();
    const reason = reasonOf(error);
    onState({ state: "failed", ...shown, error: reason });
    const message = `The workflow ${shown.url} could not be used: ${reason}`;
    throw new RepositoryFailed(message, { cause: error });
  }
}

async function bring(
  { gitUrl, branch }: WorkflowWish,
  { folder, settings }: WorkflowPlace,
  signal: AbortSignal,
): Promise<Tip> {
  const address = checkAddress(gitUrl, settings.allowLoopback);
  if (!address.ok) throw new Error(address.problem);
  const gitDir = `${folder}.git`;
  await rm(folder, { recursive: true, force: true });
  await rm(gitDir, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await makeRepository(gitDir, { attributes: asBytes });
  const tip = await fetchTip({ gitDir }, { url: address.url, settings, signal }, branch);
  const place = { gitDir, workTree: folder, index: join(gitDir, "index") };
  await git(place, ["read-tree", "--reset", "-u", tip.commitSha], { signal });
  await rm(gitDir, { recursive: true, force: true });
  return tip;
}

async function readInstructions(folder: string, path: string): Promise<Workflow> {
  const root = await realpath(folder);
  for (const name of instructionFiles) {
    const file = join(path, name);
    const real = await realpath(join(root, file)).catch(() => null);
    // A link of the repository's may lead anywhere.
    if (real === null || !isWithin(real, root)) continue;
    const text = await readFile(real, "utf8");
    return { folder, file, instructions: text.slice(0, instructionsMaxChars) };
  }
  throw new Error(
    `there is no ${instructionFiles.map((name) => join(path, name)).join(" and no ")}`,
  );
}
