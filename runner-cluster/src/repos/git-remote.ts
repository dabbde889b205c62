import { fileURLToPath } from "node:url";
import { siblingProgram } from "../sibling-program.ts";
import { FetchProgress } from "./fetch-progress.ts";
import { git, GitFailed, gitLine, GitMissing, type GitPlace } from "../workspaces/git.ts";

/** How this runner speaks to git hosts. */
export interface RemoteSettings {
  /** Plain http to this machine itself is permitted. */
  readonly allowLoopback: boolean;
  /** A directory of Secrets that may hold credentials (read-credentials.ts); undefined: there are none. */
  readonly secretsDir: string | undefined;
  /** Of the git that speaks to a host: the proxy. */
  readonly variables?: Readonly<Record<string, string>>;
}

/** One repository at its host. */
export interface Remote {
  /** Checked (repo-address.ts). */
  readonly url: string;
  readonly settings: RemoteSettings;
  readonly signal?: AbortSignal;
  /** Hears how much of what is fetched has come. */
  readonly onPercent?: (percent: number) => void;
}

export interface Tip {
  readonly branch: string;
  readonly commitSha: string;
}

/** Where what is fetched is kept from being tidied away. */
const baseRef = "refs/millrace/base";

/** Brings the last commit of a branch (null: the default one), and nothing of its history. */
export async function fetchTip(
  place: GitPlace,
  remote: Remote,
  branch: string | null,
): Promise<Tip> {
  const named = branch ?? (await defaultBranch(place, remote));
  await fetch(place, remote, ["--depth=1"], `+refs/heads/${named}:${baseRef}`);
  return { branch: named, commitSha: await gitLine(place, ["rev-parse", `${baseRef}^{commit}`]) };
}

/** Brings a commit that was the branch's last one once. */
export async function fetchCommit(place: GitPlace, remote: Remote, tip: Tip): Promise<void> {
  const { branch, commitSha } = tip;
  if (await hasCommit(place, commitSha)) return;
  try {
    await fetch(place, remote, ["--depth=1"], `+${commitSha}:${baseRef}`);
  } catch (error) {
    if (!(error instanceof GitFailed)) throw error;
    // Some hosts hand out by name only: then with the whole history.
    await fetch(place, remote, [], `+refs/heads/${branch}:${baseRef}`);
    if (await hasCommit(place, commitSha)) return;
    throw new GitFailed("fetch", `fatal: commit ${commitSha} is not there any more`);
  }
}

/** Succeeds too when the branch is there already. */
export async function push(place: GitPlace, remote: Remote, tip: Tip): Promise<void> {
  const refspec = `${tip.commitSha}:refs/heads/${tip.branch}`;
  await git(place, ["push", "--quiet", remote.url, refspec], optionsOf(remote));
}

async function fetch(
  place: GitPlace,
  remote: Remote,
  options: readonly string[],
  refspec: string,
): Promise<void> {
  const args = ["fetch", "--progress", "--no-tags", "--no-recurse-submodules", ...options];
  const progress = new FetchProgress(remote.onPercent ?? (() => undefined));
  await git(place, [...args, remote.url, refspec], {
    ...optionsOf(remote),
    onSaid: (text) => progress.read(text),
  });
}

async function defaultBranch(place: GitPlace, remote: Remote): Promise<string> {
  const args = ["ls-remote", "--quiet", "--symref", remote.url, "HEAD"];
  const listed = await gitLine(place, args, optionsOf(remote));
  const branch = /^ref: refs\/heads\/(\S+)\tHEAD$/m.exec(listed)?.[1];
  if (branch !== undefined) return branch;
  throw new GitFailed("ls-remote", "fatal: it has no default branch: is it empty?");
}

function hasCommit(place: GitPlace, commitSha: string): Promise<boolean> {
  return git(place, ["cat-file", "-e", `${commitSha}^{commit}`]).then(
    () => true,
    () => false,
  );
}

const credentialHelper = fileURLToPath(siblingProgram("git-credential", import.meta.url));

/** A host that says nothing for so long is given up. */
const silenceSeconds = 60;

function optionsOf({ url, settings, signal }: Remote) {
  const { secretsDir, variables } = settings;
  const program = [process.execPath, credentialHelper, secretsDir ?? ""].map(quote).join(" ");
  const authorities = process.env["SSL_CERT_FILE"];
  return {
    settings: [
      `protocol.${new URL(url).protocol.slice(0, -1)}.allow=always`,
      "http.lowSpeedLimit=100",
      `http.lowSpeedTime=${silenceSeconds}`,
      "credential.helper=",
      ...(secretsDir === undefined ? [] : [`credential.helper=!${program}`]),
      ...(authorities === undefined ? [] : [`http.sslCAInfo=${authorities}`]),
    ],
    ...(variables && { variables }),
    ...(signal && { signal }),
  };
}

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

const isProgress = (line: string): boolean =>
  /objects: +\d+|deltas: +\d+|^remote: Total \d+/.test(line);

/** What git said, as a sentence's end for the run's user. */
export function reasonOf(error: unknown): string {
  if (error instanceof GitMissing) return error.message;
  if (!(error instanceof GitFailed)) return error instanceof Error ? error.message : String(error);
  const { detail } = error;
  if (/could not read (Username|Password)/.test(detail)) {
    return "it needs credentials, and no Secret of the session has any for its host";
  }
  const said = detail.split(/[\r\n]/).flatMap((line) => {
    const words = /^(?:fatal|error|remote): *(.*\S)/.exec(line)?.[1];
    return words === undefined || isProgress(line) ? [] : [words];
  });
  return (said.join("; ") || detail).slice(0, 500);
}
