import { spawn } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { handOverFd, handOverMark } from "./read-handed-over.ts";

/**
 * What Linux shows as a process's environment is what it was started with, for ever, to every process
 * of the same user: also to the commands that a model asks for. So the runner starts itself again
 * with nothing in it, and reads its settings from a pipe:
 *
 *     runner (full environment)
 *       |-- writer: sh, empty environment; holds the settings in memory, writes them to a named pipe
 *       '-- exec sh -c 'exec 3<pipe; rm pipe; exec node main.ts'     same process id, empty environment
 */
export type HandOver = { readonly ok: false; readonly reason: string };

/** Variables that say how a process should run and hold no secret; all others travel through the pipe. */
const plainVariables = [
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "SHELL",
  "LANG",
  "LC_ALL",
  "LC_CTYPE",
  "TZ",
  "TERM",
  "TMPDIR",
  "NODE_OPTIONS",
  "NODE_COMPILE_CACHE",
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
];

// The command substitution takes all of stdin before the pipe is opened, which waits for its reader.
const writerScript = 'mkfifo -m 600 "$1" || exit 1; settings=$(cat); printf %s "$settings" >"$1" &';
const execScript = 'exec 3<"$1" || exit 70; rm -rf "$2"; shift 2; exec "$@"';

/** Replaces this process by itself without its environment. Returns only when that is not possible. */
export async function handOver(raw: NodeJS.ProcessEnv): Promise<HandOver> {
  if (process.platform === "win32" || typeof process.execve !== "function") {
    return { ok: false, reason: "this platform cannot replace a process" };
  }
  const env = plainEnvironment(raw);
  const directory = mkdtempSync(join(tmpdir(), "millrace-"));
  const pipe = join(directory, "settings");
  try {
    await startWriter(pipe, JSON.stringify(raw), env);
    const command = ["sh", "-c", execScript, "sh", pipe, directory, ...ownCommand()];
    process.execve("/bin/sh", command, { ...env, [handOverMark]: String(handOverFd) });
    return { ok: false, reason: "exec came back" };
  } catch (error) {
    releaseWriter(pipe);
    rmSync(directory, { recursive: true, force: true });
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

function plainEnvironment(raw: NodeJS.ProcessEnv): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of plainVariables) if (raw[name] !== undefined) env[name] = raw[name];
  return env;
}

/** An env file was read already, and its values are in the pipe; read again it would put them back. */
function ownCommand(): readonly string[] {
  const options = process.execArgv.filter((option) => !option.startsWith("--env-file"));
  return [process.execPath, ...options, ...process.argv.slice(1)];
}

/** Makes the pipe. Resolves when the writer has everything in memory and is nobody's child, so that it leaves no zombie. */
function startWriter(pipe: string, settings: string, env: NodeJS.ProcessEnv): Promise<void> {
  return new Promise((resolve, reject) => {
    const shell = spawn("/bin/sh", ["-c", writerScript, "sh", pipe], {
      env,
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    shell.on("error", reject);
    shell.stdin.on("error", reject);
    shell.on("exit", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`the settings' writer ended with ${code}`));
    });
    shell.stdin.end(settings);
  });
}

/** A writer waits for a reader for ever; one that comes and goes makes it end. */
function releaseWriter(pipe: string): void {
  try {
    closeSync(openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK));
  } catch {
    // There was no pipe yet.
  }
}
