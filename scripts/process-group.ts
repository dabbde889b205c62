import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface GroupCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Standard output and error are appended here. */
  readonly logFile: string;
}

/**
 * Kills a group when its own standard input ends, which is when the process that started it is gone.
 * `-s` because dash takes no negative number behind `-KILL --`.
 */
const tetherScript = 'read -r _; kill -s KILL -- "-$1"';

/**
 * A process and its descendants, in a process group of their own: a terminal's Ctrl-C does not reach
 * them, a signal of ours reaches them all. None of them outlives the leader, nor the process that
 * started the group, even when that one is killed.
 */
export class ProcessGroup {
  static readonly #living = new Set<ProcessGroup>();
  readonly pid: number;
  readonly exited: Promise<Exit>;

  private constructor(child: ChildProcess, pid: number) {
    this.pid = pid;
    ProcessGroup.#living.add(this);
    const tether = tie(pid);
    this.exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        ProcessGroup.#living.delete(this);
        // First the tether: a group id that is free again must not be killed by it later.
        tether.kill("SIGKILL");
        sendToGroup(pid, "SIGKILL");
        resolve({ code, signal });
      });
    });
  }

  static async spawn(command: GroupCommand): Promise<ProcessGroup> {
    const log = openSync(command.logFile, "a", 0o600);
    const child = spawn(command.command, command.args, {
      cwd: command.cwd,
      env: command.env,
      stdio: ["ignore", log, log],
      detached: true,
    });
    closeSync(log);
    await new Promise((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", reject);
    });
    if (child.pid === undefined) throw new Error(`${command.command} did not start`);
    return new ProcessGroup(child, child.pid);
  }

  /** Kills every group that this process has started and that still lives. */
  static async killAll(): Promise<void> {
    await Promise.all(Array.from(ProcessGroup.#living, (group) => group.stop(0)));
  }

  get isOver(): boolean {
    return !ProcessGroup.#living.has(this);
  }

  /** To every process of the group. Nothing happens when it has ended. */
  signal(signal: NodeJS.Signals): void {
    if (!this.isOver) sendToGroup(this.pid, signal);
  }

  /** SIGTERM, and SIGKILL for what is still there after `graceMs`. Resolves when nothing is left. */
  async stop(graceMs: number): Promise<Exit> {
    this.signal(graceMs > 0 ? "SIGTERM" : "SIGKILL");
    const waiting = new AbortController();
    const killLater = async (): Promise<void> => {
      await sleep(graceMs, undefined, { signal: waiting.signal });
      this.signal("SIGKILL");
    };
    killLater().catch(() => undefined); // aborted: it ended by itself
    const exit = await this.exited;
    waiting.abort();
    return exit;
  }
}

function tie(pid: number): ChildProcess {
  const tether = spawn("/bin/sh", ["-c", tetherScript, "tether", String(pid)], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  tether.unref();
  return tether;
}

function sendToGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
