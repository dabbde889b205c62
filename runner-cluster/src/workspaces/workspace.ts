import type { EventData, WorkspaceState } from "@millrace/contracts";
import type { ClonedRepo } from "../repos/cloned-repo.ts";
import type { Workflow } from "../repos/workflow.ts";
import type { RepoRequest } from "../repos/clone-repos.ts";

/** Output of a command as it arrives. Text is valid UTF-16, never a cut character. */
type OnOutput = (stream: "stdout" | "stderr", chunk: string) => void;

export interface CommandResult {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly timedOut: boolean;
  readonly durationMs: number;
}

export interface CommandRequest {
  readonly command: string;
  /** Workspace-relative; "" is the root. */
  readonly cwd: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onOutput: OnOutput;
}

export interface PushCommit {
  readonly message: string;
  /** Its date, Unix ms: the same files pushed again are the same commit. */
  readonly at: number;
  /** Ends the push; its reason is thrown. */
  readonly signal: AbortSignal;
}

export interface Opened {
  readonly restored: boolean;
  /** Sentences for user and model about what could not be restored. Empty: nothing is missing. */
  readonly missing: readonly string[];
  /** Commands see only the project's directory. */
  readonly isolated: boolean;
  /** How the session wants its run to be worked on. */
  readonly workflow: Workflow | null;
  /** The run's repositories, and the tree of all files with them; null: it has none. */
  readonly cloned: { readonly repos: readonly ClonedRepo[]; readonly tree: string } | null;
}

/** A file operation or command that was refused for what it asks (outside the workspace, a secret, not there …). */
export class WorkspaceRefusal extends Error {
  override readonly name = "WorkspaceRefusal";
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * The files of one project while one attempt works on them. Made by `openHostWorkspace` (later also a
 * sandbox). Paths are workspace-relative with "/", "" is the root; every one is checked, symlinks
 * included. Whoever opened it holds the project's lock until `release`.
 */
export interface Workspace {
  readonly opened: Opened;
  /** Absolute path for the model's eyes and for tools that walk the tree. */
  readonly root: string;
  /** Checks a path that a tool was given; answers the absolute path. Throws WorkspaceRefusal. */
  resolve(path: string, access: "read" | "write"): Promise<string>;
  /** Is a directory entry hidden from tools (secrets, .git, dependency folders)? */
  hides(path: string): boolean;
  /**
   * Runs `write` at once, synchronously, if the lock and lease are still this attempt's at this moment; else throws
   * AttemptFenced or LeaseLost. Every mutation by a tool goes through it.
   */
  mutate<T>(write: () => T): T;
  run(request: CommandRequest): Promise<CommandResult>;
  /** Where tools put what is too large for an event; the model reads it by this workspace-relative path. Never archived, never committed. */
  writeToolOutput(callId: string, text: string): Promise<string>;
  /** Git tree of the files now, and a pack of what is new since `since` (null: since the start); pack is base64. */
  snapshot(since: string | null): Promise<{ readonly tree: string; readonly pack: string | null }>;
  /** Commits changed files into the project's own repository. */
  commit(
    message: string,
  ): Promise<
    | { readonly outcome: "committed"; readonly commitSha: string }
    | { readonly outcome: "skipped"; readonly reason: string }
    | { readonly outcome: "failed"; readonly error: string }
  >;
  /** Commits what has changed in a repository's directory onto what was cloned, and pushes that to its branch. */
  push(repo: ClonedRepo, commit: PushCommit): Promise<EventData["workspace.pushed"]>;
  /** Spools the zip to a temporary file and uploads it. */
  archive(): Promise<{
    readonly key: string;
    readonly sizeBytes: number;
    readonly fileCount: number;
  }>;
  /** Uploads a bundle of the snapshot, so that another runner can go on from here. */
  storeState(): Promise<void>;
  /** Records that this directory holds the state of this run, and gives the lock back. Safe to repeat. */
  release(): Promise<void>;
}

/** What a workspace must know to bring the directory to the state in which the attempt goes on. */
export interface WorkspaceStart {
  readonly projectId: string;
  readonly runId: string;
  readonly runIndex: number;
  readonly attempt: number;
  /** End state of the last finished run, from the claim. */
  readonly base: WorkspaceState | null;
  /** Packs and tree that earlier attempts' steps carried, in order; the last tree is the state to go on from. */
  readonly steps: readonly { readonly tree: string; readonly pack: string | null }[];
  readonly repos: RepoRequest;
}
