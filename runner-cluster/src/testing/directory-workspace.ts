import { execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import {
  WorkspaceRefusal,
  type CommandRequest,
  type CommandResult,
  type Workspace,
} from "../workspaces/workspace.ts";

const run = promisify(execFile);

export interface DirectoryWorkspace extends Workspace {
  /** What was asked of it, in order: `commit`, `archive`, … */
  readonly calls: string[];
  /** Called in the same turn as a mutation, before it: throws what a lost lease throws. */
  guard: () => void;
  remove(): void;
}

/**
 * The smallest workspace that really has files and really runs commands: a temporary directory,
 * without lock, lease or cage. For tests of what stands in front of a workspace.
 */
export function openDirectoryWorkspace(
  files: Readonly<Record<string, string>> = {},
): DirectoryWorkspace {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "millrace-tools-")));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const calls: string[] = [];
  const workspace: DirectoryWorkspace = {
    root,
    calls,
    guard: () => undefined,
    opened: { restored: false, missing: [], isolated: false, workflow: null, cloned: null },
    resolve: (path) => Promise.resolve(resolveIn(root, path)),
    hides: (path) => /(^|\/)(\.git|node_modules|\.env)(\/|$)/.test(path),
    mutate(write) {
      workspace.guard();
      return write();
    },
    run: (request) => runIn(root, request),
    writeToolOutput(callId, text) {
      const path = `.millrace/tool-output/${callId}.txt`;
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
      return Promise.resolve(path);
    },
    async snapshot() {
      const listing = await run("find", [".", "-type", "f"], { cwd: root });
      const tree = Buffer.from(listing.stdout).toString("hex").slice(0, 40).padEnd(40, "0");
      return { tree, pack: null };
    },
    commit() {
      calls.push("commit");
      return Promise.resolve({ outcome: "committed", commitSha: "0".repeat(40) });
    },
    push({ url, path }) {
      calls.push("push");
      return Promise.resolve({ outcome: "skipped", url, path, reason: "no_changes" });
    },
    storeState() {
      calls.push("storeState");
      return Promise.resolve();
    },
    archive() {
      calls.push("archive");
      return Promise.resolve({ key: "k", sizeBytes: 1, fileCount: 1 });
    },
    release() {
      calls.push("release");
      return Promise.resolve();
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
  return workspace;
}

function resolveIn(root: string, path: string): string {
  if (path.startsWith("/") || path.split("/").includes("..")) {
    throw new WorkspaceRefusal("outside_workspace", `${path} is outside the workspace.`);
  }
  if (/(^|\/)\.env$/.test(path)) throw new WorkspaceRefusal("secret", `${path} holds secrets.`);
  return join(root, path);
}

function runIn(root: string, request: CommandRequest): Promise<CommandResult> {
  const { promise, resolve } = Promise.withResolvers<CommandResult>();
  const startedAt = performance.now();
  const child = spawn("/bin/sh", ["-c", request.command], {
    cwd: join(root, request.cwd),
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let timedOut = false;
  const kill = (): void => {
    if (child.pid) process.kill(-child.pid, "SIGKILL");
  };
  const timer = setTimeout(() => {
    timedOut = true;
    kill();
  }, request.timeoutMs);
  request.signal.addEventListener("abort", kill, { once: true });
  child.stdout.setEncoding("utf8").on("data", (text: string) => request.onOutput("stdout", text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => request.onOutput("stderr", text));
  child.once("close", (exitCode, signal) => {
    clearTimeout(timer);
    request.signal.removeEventListener("abort", kill);
    resolve({ exitCode, signal, timedOut, durationMs: Math.round(performance.now() - startedAt) });
  });
  return promise;
}
