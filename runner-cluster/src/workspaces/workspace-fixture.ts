import { copyFile, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CancelRequested, LeaseLost } from "../attempt/attempt.ts";
import type { Attempt } from "../attempt/attempt.ts";
import { makeLogger } from "../log.ts";
import type { HostConfig } from "./host-config.ts";
import { openHostWorkspace } from "./open-host-workspace.ts";
import type { CommandRequest, CommandResult, Workspace, WorkspaceStart } from "./workspace.ts";
import type { UploadMeta, WorkspaceStore } from "./workspace-store.ts";

/** Keeps uploads as files of a folder, as the platform keeps them as objects of a bucket. */
export class FolderStore implements WorkspaceStore {
  readonly #folder: string;
  readonly uploads: (UploadMeta & { readonly key: string })[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  pathOf(kind: UploadMeta["kind"]): string {
    return join(this.#folder, kind);
  }

  async upload(file: string, meta: UploadMeta): Promise<{ readonly key: string }> {
    await copyFile(file, this.pathOf(meta.kind));
    this.uploads.push({ ...meta, key: meta.kind });
    return { key: meta.kind };
  }

  async downloadBundle(file: string): Promise<boolean> {
    return copyFile(this.pathOf("bundle"), file).then(
      () => true,
      () => false,
    );
  }
}

/** The part of an attempt that workspaces ask, with a lease to take away. */
export class LeasedAttempt {
  readonly #stop = new AbortController();
  #work = new AbortController();
  #holds = true;
  readonly signal: Attempt["signal"] = this.#stop.signal;

  holdsLease(): boolean {
    return this.#holds;
  }

  async room(): Promise<void> {}

  loseLease(): void {
    this.#holds = false;
    this.#work.abort(new LeaseLost("the lease ended"));
  }

  cancel(): void {
    const reason = new CancelRequested("cancelled");
    this.#stop.abort(reason);
    this.#work.abort(reason);
  }

  workSignal(): Attempt["signal"] {
    return this.#work.signal;
  }

  asAttempt(): Attempt {
    return this as unknown as Attempt;
  }
}

export const runIds = {
  first: "01930000-0000-7000-8000-000000000001",
  second: "01930000-0000-7000-8000-000000000002",
} as const;

const noRepos: WorkspaceStart["repos"] = {
  wanted: [],
  recorded: null,
  onState: () => undefined,
  signal: new AbortController().signal,
};

/** A disk with workspaces on it, as one runner has it. */
export class HostFixture {
  readonly folder: string;
  readonly store: FolderStore;
  readonly logged: string[] = [];
  readonly attempt = new LeasedAttempt();
  readonly #open: Workspace[] = [];

  private constructor(folder: string, store: FolderStore) {
    this.folder = folder;
    this.store = store;
  }

  static async make(store?: FolderStore): Promise<HostFixture> {
    const folder = await realpath(await mkdtemp(join(tmpdir(), "millrace-workspaces-")));
    return new HostFixture(folder, store ?? new FolderStore(folder));
  }

  config(changes: Partial<HostConfig> = {}): HostConfig {
    return {
      workspaceRoot: join(this.folder, "workspaces"),
      runnerId: "00000000-0000-4000-8000-000000000001",
      store: this.store,
      zip: { maxBytes: 10_000_000, maxFiles: 1_000 },
      gitIdentity: { name: "Agent", email: "agent@example.com" },
      autoGitCommit: true,
      isolation: "off",
      commandVariables: {},
      remotes: { allowLoopback: true, secretsDir: undefined },
      log: makeLogger({ secrets: [], write: (line) => this.logged.push(line) }),
      ...changes,
    };
  }

  async open(
    start: Partial<WorkspaceStart> = {},
    config: Partial<HostConfig> = {},
    attempt: LeasedAttempt = this.attempt,
  ): Promise<Workspace> {
    const whole: WorkspaceStart = {
      projectId: "p",
      runId: runIds.first,
      runIndex: 1,
      attempt: 1,
      base: null,
      steps: [],
      repos: noRepos,
      ...start,
    };
    const workspace = await openHostWorkspace(whole, attempt.asAttempt(), this.config(config));
    this.#open.push(workspace);
    return workspace;
  }

  async remove(): Promise<void> {
    for (const workspace of this.#open) await workspace.release();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

export interface Ran extends CommandResult {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command and collects what it says. */
export async function runIn(
  workspace: Workspace,
  command: string,
  changes: Partial<CommandRequest> = {},
): Promise<Ran> {
  const said = { stdout: "", stderr: "" };
  const result = await workspace.run({
    command,
    cwd: "",
    timeoutMs: 60_000,
    signal: new AbortController().signal,
    onOutput: (stream, chunk) => {
      said[stream] += chunk;
    },
    ...changes,
  });
  return { ...result, ...said };
}

/** Waits until `check` holds; for what other processes do in their own time. */
export async function eventually(check: () => boolean | Promise<boolean>): Promise<void> {
  const until = Date.now() + 20_000;
  while (!(await check())) {
    if (Date.now() > until) throw new Error("it did not come to pass");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
