import { randomBytes } from "node:crypto";
import { closeSync, existsSync, fstatSync, openSync, unlinkSync, writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { AttemptFenced } from "../attempt/attempt.ts";
import type { Logger } from "../log.ts";
import { decideTakeover } from "./decide-takeover.ts";
import type { Contender, Takeover } from "./decide-takeover.ts";
import { line, lockPath, numbersIn, readLocks } from "./lock-files.ts";
import type { Holder, LockFile } from "./lock-files.ts";
import { killLeftovers, processPlace, startOf } from "./process-groups.ts";
import type { ProcessIdentity } from "./process-groups.ts";

/**
 * Who may write to a project's directory. The lock is the file with the highest number in the
 * project's folder of locks; taking it means creating the next number, which only one can do (O_EXCL).
 * The first line names the holder, the following ones the process groups of its commands, the
 * last says that it was given back. A number is never used twice, so the file of a released lock stays
 * until the next holder removes it.
 */
export class ProjectLock {
  readonly #fd: number;
  readonly #next: string;
  readonly marker: string;
  #open = true;

  constructor(fd: number, next: string, marker: string) {
    this.#fd = fd;
    this.#next = next;
    this.marker = marker;
  }

  /** Two system calls, so that it can be asked in the same synchronous turn as every write. */
  holds(): boolean {
    return this.#open && !existsSync(this.#next) && fstatSync(this.#fd).nlink > 0;
  }

  assertHeld(): void {
    if (this.holds()) return;
    throw new AttemptFenced("the workspace is another attempt's, or was given back");
  }

  /** A successor reads this before it touches a file, and kills the group. */
  recordGroup(leader: ProcessIdentity): void {
    writeSync(this.#fd, line({ group: leader.pid, start: leader.start }));
  }

  release(): void {
    if (!this.#open) return;
    writeSync(this.#fd, line({ released: true }));
    this.#open = false;
    closeSync(this.#fd);
  }
}

export interface Acquire extends Contender {
  readonly folder: string;
  readonly runnerId: string;
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** How long a live holder may finish its commit and archive. */
  readonly patienceMs?: number;
}

const defaultPatienceMs = 30_000;
const pollMs = 25;

/** Waits for the project's lock, or takes it from a holder that is dead, fenced or too slow, and ends what that one left running. */
export async function acquireLock(request: Acquire): Promise<ProjectLock> {
  const until = Date.now() + (request.patienceMs ?? defaultPatienceMs);
  for (;;) {
    request.signal.throwIfAborted();
    const top = readLocks(request.folder)[0];
    const verdict = top === undefined ? "take" : judge(top, request, Date.now() >= until);
    switch (verdict) {
      case "fenced":
        throw new AttemptFenced("a later attempt of this run holds the workspace");
      case "wait":
        await delay(pollMs, undefined, { signal: request.signal });
        break;
      case "take":
      case "evict": {
        const lock = await take(request, top);
        if (lock === null) break;
        if (verdict === "evict") sayEvicted(request, top);
        return lock;
      }
    }
  }
}

function judge(top: LockFile, request: Acquire, impatient: boolean): Takeover {
  const { holder, released } = top;
  const elsewhere = holder !== null && holder.place !== processPlace();
  const alive = holder === null || elsewhere || startOf(holder.pid) === holder.start;
  return decideTakeover({ holder, released }, request, { alive, impatient });
}

function sayEvicted(request: Acquire, top: LockFile | undefined): void {
  const fields = { holder: top?.holder?.runId, runId: request.runId };
  request.log.warn("took a workspace from a run that did not give it back", fields);
}

/** Null: somebody else was faster. */
async function take(request: Acquire, top: LockFile | undefined): Promise<ProjectLock | null> {
  const last = top?.n ?? 0;
  const lock = tryCreate(request, last + 1);
  if (lock === null) return null;
  try {
    await endPredecessors(request, last);
    return lock;
  } catch (error) {
    // Whoever comes next tries again: the files of those that could not be ended are still there.
    lock.release();
    throw error;
  }
}

function tryCreate(request: Acquire, n: number): ProjectLock | null {
  const file = lockPath(request.folder, n);
  const marker = randomBytes(12).toString("hex");
  const holder: Holder = {
    runId: request.runId,
    attempt: request.attempt,
    runnerId: request.runnerId,
    pid: process.pid,
    start: startOf(process.pid) ?? "",
    place: processPlace(),
    marker,
  };
  let fd: number;
  try {
    fd = openSync(file, "ax", 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return null;
    throw error;
  }
  writeSync(fd, line(holder));
  // A directory that changes while it is read can look empty; then a higher number exists after all.
  const latest = numbersIn(request.folder)[0] ?? n;
  if (latest <= n) return new ProjectLock(fd, lockPath(request.folder, n + 1), marker);
  closeSync(fd);
  unlinkSync(file);
  return null;
}

/** Oldest first: a file goes only when all before it are gone, so a holder that was passed over twice notices. */
async function endPredecessors(request: Acquire, upTo: number): Promise<void> {
  for (const file of readLocks(request.folder).toReversed()) {
    if (file.n > upTo) continue;
    const { holder } = file;
    if (holder !== null && !file.released) await endHolder(holder, file.groups, request.log);
    try {
      unlinkSync(lockPath(request.folder, file.n));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
}

async function endHolder(
  holder: Holder,
  groups: readonly ProcessIdentity[],
  log: Logger,
): Promise<void> {
  if (holder.place === processPlace()) return killLeftovers(groups, holder.marker);
  log.warn("the last holder of a workspace ran on another machine; its commands cannot be ended", {
    holder: holder.runId,
    place: holder.place,
  });
}
