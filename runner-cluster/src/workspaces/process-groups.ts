import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";

/** Every command carries this variable, so that what left its process group can still be found. */
export const markerVariable = "MILLRACE_COMMAND";

/** A process that can be told from a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in the system's own spelling. */
  readonly start: string;
}

interface ProcStat {
  readonly state: string;
  readonly group: number;
  readonly start: string;
}

function statOf(pid: number): ProcStat | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name in parentheses may itself contain spaces and parentheses.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0] ?? "", group: Number(fields[2]), start: fields[19] ?? "" };
  } catch {
    return null;
  }
}

/** When this process started, or null when there is none (a zombie counts as none). */
export function startOf(pid: number): string | null {
  if (process.platform === "linux") {
    const stat = statOf(pid);
    return stat === null || stat.state === "Z" ? null : stat.start;
  }
  try {
    const args = ["-o", "lstart=", "-p", String(pid)];
    return execFileSync("ps", args, { encoding: "utf8", stdio: "pipe" }).trim() || null;
  } catch {
    return null;
  }
}

const isSameProcess = (identity: ProcessIdentity): boolean =>
  startOf(identity.pid) === identity.start;

/**
 * Where process numbers mean what they mean here: machine, boot and pid namespace. A lock on a shared
 * volume may come from another place, whose numbers must neither be looked up nor killed.
 */
export function processPlace(): string {
  if (process.platform !== "linux") return hostname();
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  return `${hostname()} ${boot} ${readlinkSync("/proc/self/ns/pid")}`;
}

/** Sends a signal to a process group; false when it is gone. */
export function signalGroup(group: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch {
    return false;
  }
}

/** Processes whose environment carries a marker that begins so. */
function findMarked(marker: string): readonly number[] {
  if (process.platform !== "linux") return [];
  const wanted = `${markerVariable}=${marker}`;
  return livingPids().filter((pid) => {
    try {
      const environment = `\0${readFileSync(`/proc/${pid}/environ`, "latin1")}`;
      return environment.includes(`\0${wanted}`);
    } catch {
      return false; // gone meanwhile, or another user's
    }
  });
}

/** Kills what carries the marker, and what that started meanwhile. */
export function killMarked(marker: string): void {
  // A process that forks while it is looked at shows up in the next round.
  for (let round = 0; round < 20; round += 1) {
    const found = findMarked(marker);
    if (found.length === 0) return;
    for (const pid of found) kill(pid);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It was faster.
  }
}

function livingPids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid);
}

const groupIsAlive = (group: number): boolean =>
  process.platform === "linux"
    ? livingPids().some((pid) => {
        const stat = statOf(pid);
        return stat !== null && stat.group === group && stat.state !== "Z";
      })
    : signalGroup(group, "SIGCONT");

const killWaitMs = 5_000;

/**
 * Kills process groups of an earlier holder, and everything with its marker, and waits until nothing
 * of it runs. A group is killed by number only while its leader is the process that was recorded.
 */
export async function killLeftovers(
  groups: readonly ProcessIdentity[],
  marker: string,
): Promise<void> {
  const ours = groups.filter(isSameProcess);
  for (const leader of ours) signalGroup(leader.pid, "SIGKILL");
  killMarked(marker);
  const until = Date.now() + killWaitMs;
  while (findMarked(marker).length > 0 || ours.some(({ pid }) => groupIsAlive(pid))) {
    if (Date.now() > until) throw new Error("processes of an earlier attempt do not die");
    await delay(10);
    killMarked(marker);
  }
}
