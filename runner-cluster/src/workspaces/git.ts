import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";

/** Git is not installed on this machine. */
export class GitMissing extends Error {
  override readonly name = "GitMissing";
}

/** A git command failed; `detail` is what it said. */
export class GitFailed extends Error {
  override readonly name = "GitFailed";
  readonly detail: string;
  constructor(verb: string, detail: string) {
    super(`git ${verb} failed: ${detail.slice(0, 500)}`);
    this.detail = detail;
  }
}

/** A git command said more than its caller would take, and was ended. */
export class GitTooMuch extends Error {
  override readonly name = "GitTooMuch";
}

export interface GitPlace {
  /** A repository that only this code writes. Never the project's own: its configuration could name programs to run. */
  readonly gitDir: string;
  readonly workTree?: string;
  readonly index?: string;
  /** Where objects are read from as well. */
  readonly alternates?: string;
  /** Where objects are written to, when not into `gitDir`. */
  readonly objects?: string;
  readonly variables?: Readonly<Record<string, string>>;
  /** Throws when the place is another attempt's by now: asked in the same turn in which a git starts. */
  readonly assertHeld?: () => void;
}

export interface GitInput {
  readonly input?: string | Buffer;
  /** Exit codes that are answers, not failures. */
  readonly accept?: readonly number[];
  /** More output than this is not held in memory: the command is ended with GitTooMuch. */
  readonly maxBytes?: number;
  /** Settings of this call alone, as `name=value`; they win over what is fixed. No secrets: others see them. */
  readonly settings?: readonly string[];
  /** Beside the environment of our making. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Hears what git says beside its answer, piece by piece. */
  readonly onSaid?: (text: string) => void;
  /** Ends the command; its reason is thrown. */
  readonly signal?: AbortSignal;
}

/** One end of a pipe between two gits. */
export interface GitCall {
  readonly place: GitPlace;
  readonly args: readonly string[];
}

const fixedSettings: readonly string[] = [
  "core.bare=false",
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.attributesFile=/dev/null",
  "core.excludesFile=/dev/null",
  "core.autocrlf=false",
  "core.looseCompression=1",
  "core.protectNTFS=true",
  "gc.auto=0",
  "maintenance.auto=false",
  "commit.gpgSign=false",
  "advice.addEmbeddedRepo=false",
  "protocol.allow=never",
];

const asArguments = (settings: readonly string[]): readonly string[] =>
  settings.flatMap((setting) => ["-c", setting]);

const fixedArguments = asArguments(fixedSettings);

/**
 * Runs git with an environment and configuration of our own making: neither the machine's nor the user's nor the
 * project's settings have a say, and nothing asks, pages or opens an editor.
 */
export async function git(
  place: GitPlace,
  args: readonly string[],
  given: GitInput = {},
): Promise<Buffer> {
  const { input, maxBytes = Number.POSITIVE_INFINITY, signal } = given;
  signal?.throwIfAborted();
  const { child, ended } = start({ place, args }, given);
  // Asked first: git then ends the programs that it talks to servers with.
  const stop = (): void => void child.kill("SIGTERM");
  signal?.addEventListener("abort", stop, { once: true });
  child.stdin.end(input);
  try {
    const [stdout] = await Promise.all([collect(child.stdout, maxBytes), ended]);
    return stdout;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
    child.kill("SIGKILL");
  }
}

/** Feeds one git what another says: a pack can be larger than memory. `input` is for the first. */
export async function pipeGit(from: GitCall, to: GitCall, input: string): Promise<void> {
  const source = start(from);
  const sink = start(to);
  source.child.stdin.end(input);
  sink.child.stdout.resume();
  // Whichever breaks the pipe ends with an exit code that says why.
  const piped = pipeline(source.child.stdout, sink.child.stdin).catch(() => undefined);
  await Promise.all([source.ended, sink.ended, piped]);
}

function start(
  { place, args }: GitCall,
  { accept = [], settings = [], onSaid, variables }: GitInput = {},
) {
  place.assertHeld?.();
  const given = [...fixedArguments, ...asArguments(settings), ...args];
  const child: ChildProcessWithoutNullStreams = spawn("git", given, {
    cwd: place.workTree ?? place.gitDir,
    env: { ...environmentOf(place), ...variables },
    stdio: "pipe",
  });
  const closed = new Promise<number | null>((resolve, reject) => {
    child.once("error", (error) => reject(isMissing(error) ? new GitMissing(notThere) : error));
    child.once("close", resolve);
  });
  // Git may end without reading all of its input; its exit code says whether that is bad.
  child.stdin.on("error", () => undefined);
  if (onSaid) child.stderr.on("data", (bytes: Buffer) => onSaid(bytes.toString("utf8")));
  const judge = async (): Promise<void> => {
    const [code, stderr] = await Promise.all([closed, buffer(child.stderr)]);
    if (code !== null && [0, ...accept].includes(code)) return;
    // A successor kills what it finds running: that says nothing about the repository.
    place.assertHeld?.();
    throw new GitFailed(args[0] ?? "", stderr.toString("utf8").trim() || `exit ${String(code)}`);
  };
  return { child, ended: judge() };
}

async function collect(stream: Readable, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).byteLength;
    if (bytes > maxBytes) throw new GitTooMuch(`git said more than ${maxBytes} bytes`);
  }
  return Buffer.concat(chunks);
}

const notThere = "git is not installed";

const isMissing = (error: NodeJS.ErrnoException): boolean =>
  error.code === "ENOENT" && error.syscall === "spawn git";

/** The same, for commands that answer one line. */
export async function gitLine(
  place: GitPlace,
  args: readonly string[],
  input: GitInput = {},
): Promise<string> {
  return (await git(place, args, input)).toString("utf8").trim();
}

function environmentOf(place: GitPlace): Record<string, string> {
  return {
    PATH: process.env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin",
    HOME: "/nonexistent",
    LANG: "C.UTF-8",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_EDITOR: "true",
    GIT_PAGER: "cat",
    GIT_DIR: place.gitDir,
    ...(place.workTree && { GIT_WORK_TREE: place.workTree }),
    ...(place.index && { GIT_INDEX_FILE: place.index }),
    ...(place.objects && { GIT_OBJECT_DIRECTORY: place.objects }),
    ...(place.alternates && {
      GIT_ALTERNATE_OBJECT_DIRECTORIES: quoteAlternate(place.alternates),
    }),
    ...place.variables,
  };
}

/** The variable is a list with ":"; a quoted entry may contain one. */
const quoteAlternate = (path: string): string =>
  `"${path.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
