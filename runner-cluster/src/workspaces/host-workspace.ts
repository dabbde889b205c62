import { createHash } from "node:crypto";
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LeaseLost } from "../attempt/attempt.ts";
import type { Attempt } from "../attempt/attempt.ts";
import type { ClonePlace } from "../repos/clone-repos.ts";
import type { ClonedRepo } from "../repos/cloned-repo.ts";
import { pushRepo, type PushEnd } from "../repos/push-repo.ts";
import { archiveWorkspace } from "./archive-workspace.ts";
import type { Cage, CageKind } from "./cage.ts";
import { makeCommandEnvironment } from "./command-environment.ts";
import { commitProject } from "./commit-project.ts";
import type { CommitOutcome } from "./commit-project.ts";
import { GitMissing } from "./git.ts";
import { writeHeldState } from "./held-state.ts";
import { runHostCommand } from "./host-command.ts";
import type { HostConfig } from "./host-config.ts";
import { isHiddenPath } from "./path-policy.ts";
import type { ProjectLayout } from "./project-layout.ts";
import { markerVariable } from "./process-groups.ts";
import type { ProjectLock } from "./project-lock.ts";
import { readProjectRepository } from "./project-repository.ts";
import type { SnapshotRepository } from "./snapshot-repository.ts";
import { uploadState } from "./upload-state.ts";
import { Watchdog } from "./watchdog.ts";
import { WorkspaceRefusal } from "./workspace.ts";
import type {
  CommandRequest,
  CommandResult,
  Opened,
  PushCommit,
  Workspace,
  WorkspaceStart,
} from "./workspace.ts";
import { resolveInside, toolOutputFolder } from "./workspace-paths.ts";

export interface HostParts {
  readonly layout: ProjectLayout;
  readonly lock: ProjectLock;
  readonly snapshots: SnapshotRepository;
  readonly cages: CageKind;
  readonly start: WorkspaceStart;
  readonly attempt: Attempt;
  readonly config: HostConfig;
  readonly opened: Opened;
}

/** A pack beyond this does not travel with the steps; another runner then says what is missing. */
const packMaxBytes = 32 * 1024 * 1024;

/** Stands for a state that could not be taken; no repository has such a tree, so whoever resumes says what is missing. */
const noTree = "0".repeat(40);

/** A project's directory on the runner's own disk, while one attempt holds it. */
export class HostWorkspace implements Workspace {
  readonly #parts: HostParts;
  readonly #watchdog: Watchdog;
  readonly opened: Opened;
  readonly root: string;
  #cage: Promise<Cage> | undefined;
  #commands = 0;
  #tree: string | null = null;
  #released = false;

  constructor(parts: HostParts) {
    this.#parts = parts;
    this.#watchdog = new Watchdog(parts.lock.marker);
    this.opened = parts.opened;
    this.root = parts.layout.root;
  }

  resolve(path: string, access: "read" | "write"): Promise<string> {
    return resolveInside(this.#parts.layout, path, access);
  }

  hides(path: string): boolean {
    return isHiddenPath(path);
  }

  mutate<T>(write: () => T): T {
    this.#assertHeld();
    if (!this.#parts.attempt.holdsLease()) throw new LeaseLost("the lease ended before the write");
    return write();
  }

  async run(request: CommandRequest): Promise<CommandResult> {
    const { attempt, config, layout, lock, cages } = this.#parts;
    this.#assertHeld();
    const cwd = await this.#folder(request.cwd);
    this.#cage ??= cages.make(layout, config.visiblePaths ?? []);
    const cage = await this.#cage;
    this.#commands += 1;
    // The last dot keeps command 1 apart from command 10 in a search by prefix.
    const marker = `${lock.marker}.${this.#commands}.`;
    const { gitIdentity, commandVariables: given } = config;
    const runnerPath = process.env["PATH"];
    const around = { home: cage.home, tmp: cage.tmp, marker, gitIdentity, runnerPath, given };
    const environment = { ...makeCommandEnvironment(around), ...cage.variables };
    const line = cage.wrap(request.command, cwd);
    const context = { lock, attempt, watchdog: this.#watchdog };
    // Looking at every process of the machine is not cheap; process 1 of a namespace takes all along.
    const sweep = cages.isolates ? null : marker;
    return runHostCommand(context, { line, cwd, environment, marker: sweep }, request);
  }

  async #folder(path: string): Promise<string> {
    const folder = await this.resolve(path, "read");
    const found = await stat(folder).catch(() => null);
    if (found?.isDirectory() === true) return folder;
    throw new WorkspaceRefusal("not_a_directory", `${JSON.stringify(path)} is not a directory`);
  }

  async writeToolOutput(callId: string, text: string): Promise<string> {
    this.#assertHeld();
    const name = `${fileNameFor(callId)}.txt`;
    await writeFile(join(this.#parts.layout.output, name), text, { mode: 0o600 });
    return `${toolOutputFolder}/${name}`;
  }

  async snapshot(
    since: string | null,
  ): Promise<{ readonly tree: string; readonly pack: string | null }> {
    const { snapshots } = this.#parts;
    const tree = await this.#takeTree();
    if (tree === noTree) return { tree, pack: null };
    const from = since ?? (await this.#baseTree());
    if (tree === from) return { tree, pack: null };
    const known = from !== null && (await snapshots.has(from)) ? from : null;
    const pack = await snapshots.pack(tree, known, packMaxBytes);
    if (pack) return { tree, pack: pack.toString("base64") };
    this.#parts.config.log.warn("a change is too large to travel with its step", { packMaxBytes });
    return { tree, pack: null };
  }

  /** Where another runner starts from, if it is known here. */
  async #baseTree(): Promise<string | null> {
    const base = this.#parts.start.base?.tree;
    return base !== undefined && (await this.#parts.snapshots.has(base)) ? base : null;
  }

  async #takeTree(): Promise<string> {
    this.#assertHeld();
    const { config, layout, snapshots } = this.#parts;
    const repository = await readProjectRepository(layout.gitDir);
    try {
      this.#tree = await snapshots.tree(repository?.head ?? null);
    } catch (error) {
      if (!(error instanceof GitMissing)) throw error;
      config.log.warn("git is not installed: the files' state cannot be carried to another runner");
      return noTree;
    }
    return this.#tree;
  }

  async commit(message: string): Promise<CommitOutcome> {
    const { config, layout, snapshots, start } = this.#parts;
    if (!config.autoGitCommit) return { outcome: "skipped", reason: "disabled" };
    this.#assertHeld();
    const assertHeld = (): void => this.#assertHeld();
    const identity = config.gitIdentity;
    return commitProject({
      layout,
      snapshots,
      identity,
      runId: start.runId,
      message,
      assertHeld,
    });
  }

  push(repo: ClonedRepo, commit: PushCommit): Promise<PushEnd> {
    this.#assertHeld();
    const identity = this.#parts.config.gitIdentity;
    return pushRepo({ ...commit, repo, identity }, clonePlaceOf(this.#parts));
  }

  archive(): Promise<{
    readonly key: string;
    readonly sizeBytes: number;
    readonly fileCount: number;
  }> {
    const { config, layout } = this.#parts;
    return archiveWorkspace(layout, config.zip, config.store, () => this.#assertHeld());
  }

  async storeState(): Promise<void> {
    const tree = await this.#takeTree();
    if (tree === noTree) return;
    const { config, layout, snapshots } = this.#parts;
    await uploadState({ layout, snapshots, store: config.store, tree });
  }

  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    this.#watchdog.stop();
    const { layout, lock, start } = this.#parts;
    try {
      if (!lock.holds()) return;
      const { runId, runIndex } = start;
      await writeHeldState(layout.stateFile, { runId, runIndex, tree: this.#tree });
    } finally {
      lock.release();
    }
  }

  #assertHeld(): void {
    this.#parts.lock.assertHeld();
  }
}

/** Where the run's repositories lie, and how to reach their hosts. */
export function clonePlaceOf({
  layout,
  lock,
  config,
}: Pick<HostParts, "layout" | "lock" | "config">): ClonePlace {
  return {
    layout,
    settings: config.remotes,
    log: config.log,
    // A successor finds and ends a git that outlived its runner.
    variables: { [markerVariable]: lock.marker },
    assertHeld: () => lock.assertHeld(),
  };
}

/** Call ids come from a model's provider; most are good names. */
function fileNameFor(callId: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/.test(callId)) return callId;
  return createHash("sha256").update(callId).digest("hex");
}
