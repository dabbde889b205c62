import { dirname } from "node:path";
import type { GitIdentity } from "./host-config.ts";
import { markerVariable } from "./process-groups.ts";

const systemPath = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

export interface CommandSurroundings {
  readonly home: string;
  readonly tmp: string;
  readonly marker: string;
  readonly gitIdentity: GitIdentity;
  /** The runner's own search path: tool chains outside the system's folders stay usable. */
  readonly runnerPath: string | undefined;
  /** What the session's spec gives. */
  readonly given: Readonly<Record<string, string>>;
}

/** The whole environment of a command: made here, so that no key or token of the runner can be in it. */
export function makeCommandEnvironment(around: CommandSurroundings): Record<string, string> {
  const { name, email } = around.gitIdentity;
  return {
    LANG: "C.UTF-8",
    TERM: "dumb",
    CI: "1",
    GIT_AUTHOR_NAME: name,
    GIT_AUTHOR_EMAIL: email,
    GIT_COMMITTER_NAME: name,
    GIT_COMMITTER_EMAIL: email,
    ...around.given,
    // The cage and the fence depend on these.
    PATH: searchPath(around.runnerPath),
    HOME: around.home,
    TMPDIR: around.tmp,
    SHELL: "/bin/bash",
    GIT_TERMINAL_PROMPT: "0",
    [markerVariable]: around.marker,
  };
}

/** This process's Node first. npm puts the repository's own tools on its scripts' path: not for projects. */
function searchPath(runnerPath: string | undefined): string {
  const inherited = (runnerPath ?? "").split(":").filter(isForCommands);
  return [...new Set([dirname(process.execPath), ...inherited, ...systemPath])].join(":");
}

const isForCommands = (folder: string): boolean =>
  folder.startsWith("/") && !folder.endsWith("/node_modules/.bin") && !folder.includes("/@npmcli/");
