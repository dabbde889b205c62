import type { Logger } from "../log.ts";
import type { WorkflowWish } from "../repos/workflow.ts";
import type { RemoteSettings } from "../repos/git-remote.ts";
import type { WorkspaceStore } from "./workspace-store.ts";

/** `auto` isolates commands where the machine can; `require` refuses to work where it cannot. */
export type IsolationMode = "auto" | "require" | "off";

export interface GitIdentity {
  readonly name: string;
  readonly email: string;
}

export interface ZipLimits {
  /** Sum of the files' own sizes, before compression. */
  readonly maxBytes: number;
  readonly maxFiles: number;
}

/** How this runner keeps projects on its disk. */
export interface HostSettings {
  /** Absolute; holds one directory per project, and `.millrace` with everything of ours. */
  readonly workspaceRoot: string;
  readonly runnerId: string;
  readonly zip: ZipLimits;
  readonly gitIdentity: GitIdentity;
  readonly autoGitCommit: boolean;
  readonly isolation: IsolationMode;
  /** Directories that isolated commands may read besides the system's, e.g. a tool chain in a home directory. */
  readonly visiblePaths?: readonly string[];
  /** Of commands alone; they may hold secrets. The runner's own (PATH, HOME, TMPDIR …) win. */
  readonly commandVariables: Readonly<Record<string, string>>;
  readonly remotes: RemoteSettings;
  /** Where the session's workflow comes from and goes to; undefined: it has none. */
  readonly workflow?: { readonly wish: WorkflowWish; readonly folder: string };
  readonly log: Logger;
}

/** What one host workspace needs from the runner around it. */
export interface HostConfig extends HostSettings {
  /** Speaks for one attempt. */
  readonly store: WorkspaceStore;
}
