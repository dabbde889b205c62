import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { AttemptFenced, LeaseLost } from "../attempt/attempt.ts";
import type { Attempt } from "../attempt/attempt.ts";
import { killMarked, signalGroup, startOf } from "./process-groups.ts";
import type { ProjectLock } from "./project-lock.ts";
import type { Watchdog } from "./watchdog.ts";
import type { CommandRequest, CommandResult } from "./workspace.ts";

export interface CommandContext {
  readonly lock: ProjectLock;
  readonly watchdog: Watchdog;
  readonly attempt: Pick<Attempt, "holdsLease" | "room">;
}

export interface PreparedCommand {
  /** Program and arguments. */
  readonly line: readonly string[];
  /** Absolute. */
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** What to look for when the command has ended; null where a pid namespace ends everything by itself. */
  readonly marker: string | null;
}

const termToKillMs = { timeout: 5_000, abort: 1_000 } as const;

/**
 * Starts in a process group of its own and waits for a line on descriptor 3 before it becomes the
 * command: the group must stand in the lock file, and the watchdog must know it, before anything runs.
 */
const gate = 'IFS= read -r go <&3 || exit 125; exec 3<&-; exec "$@"';

/** Runs one command to its end; nothing of it is left when this resolves. */
export async function runHostCommand(
  context: CommandContext,
  command: PreparedCommand,
  request: CommandRequest,
): Promise<CommandResult> {
  request.signal.throwIfAborted();
  const child = spawn("/bin/sh", ["-c", gate, "millrace-gate", ...command.line], {
    cwd: command.cwd,
    env: command.environment,
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const exit = whenExited(child);
  await once(child, "spawn");
  const group = child.pid ?? 0;
  const stopping = new Stopping(group, command.marker);
  try {
    await context.watchdog.guard(group);
    openGate(context, child, group);
    const startedAt = performance.now();
    const pumps = [
      pump(child.stdout, (text) => request.onOutput("stdout", text), context.attempt),
      pump(child.stderr, (text) => request.onOutput("stderr", text), context.attempt),
    ];
    const timer = setTimeout(() => stopping.begin("timeout"), request.timeoutMs);
    const onAbort = (): void => stopping.begin("abort");
    request.signal.addEventListener("abort", onAbort, { once: true });
    // It may have been aborted before there was somebody to listen.
    if (request.signal.aborted) onAbort();
    const ended = await exit;
    clearTimeout(timer);
    request.signal.removeEventListener("abort", onAbort);
    stopping.finish();
    const durationMs = Math.round(performance.now() - startedAt);
    await drain(child, pumps, request.signal);
    return { ...stopping.resultOf(ended), timedOut: stopping.reason === "timeout", durationMs };
  } finally {
    stopping.finish();
    await context.watchdog.free(group).catch(() => undefined);
    destroyPipes(child);
  }
}

interface Ended {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

function whenExited(child: ChildProcess): Promise<Ended> {
  return new Promise((resolve) => {
    child.once("exit", (exitCode, signal) => resolve({ exitCode, signal }));
    // It could not be started; `once(child, "spawn")` rejects with the reason.
    child.once("error", () => resolve({ exitCode: null, signal: null }));
  });
}

/** Record, then check, then go, in one synchronous turn: a successor that comes later finds the group in the lock file. */
function openGate(context: CommandContext, child: ChildProcess, group: number): void {
  context.lock.recordGroup({ pid: group, start: startOf(group) ?? "" });
  if (!context.lock.holds()) throw new AttemptFenced("another attempt has the workspace");
  if (!context.attempt.holdsLease())
    throw new LeaseLost("the lease ended before the command began");
  const pipe = child.stdio[3];
  if (!pipe || !("write" in pipe)) throw new Error("the command has no gate");
  // The command may be dead already.
  pipe.on("error", () => undefined);
  pipe.end("go\n");
}

/** Ends a process group: first asked, then killed. */
class Stopping {
  readonly #group: number;
  readonly #marker: string | null;
  #timer: NodeJS.Timeout | undefined;
  #finished = false;
  #lastSignal: NodeJS.Signals = "SIGTERM";
  reason: keyof typeof termToKillMs | undefined;

  constructor(group: number, marker: string | null) {
    this.#group = group;
    this.#marker = marker;
  }

  /** A cancel during the five seconds that a timeout grants shortens them. */
  begin(reason: keyof typeof termToKillMs): void {
    if (this.#finished) return;
    this.reason ??= reason;
    clearTimeout(this.#timer);
    signalGroup(this.#group, "SIGTERM");
    this.#timer = setTimeout(() => this.#kill(), termToKillMs[reason]);
  }

  /** The leader has ended: what it left behind ends too. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    clearTimeout(this.#timer);
    this.#killAll();
  }

  #kill(): void {
    this.#lastSignal = "SIGKILL";
    this.#killAll();
  }

  #killAll(): void {
    signalGroup(this.#group, "SIGKILL");
    if (this.#marker !== null) killMarked(this.#marker);
  }

  /** A cage turns death by signal into an exit code, so for a command that was stopped the signal is what was sent. */
  resultOf(ended: Ended): Ended {
    return this.reason === undefined ? ended : { exitCode: null, signal: this.#lastSignal };
  }
}

interface Pump {
  readonly done: Promise<void>;
  /** It waits for room in the outbox: nobody's fault, the text is not lost. */
  isHeldBack(): boolean;
}

/** Reads only as fast as the attempt can send: a command that floods blocks on its pipe. */
function pump(
  stream: Readable | null,
  onText: (text: string) => void,
  attempt: Pick<Attempt, "room">,
): Pump {
  let heldBack = false;
  const run = async (): Promise<void> => {
    if (!stream) return;
    // Decodes across chunks, so that no character is cut.
    stream.setEncoding("utf8");
    for await (const chunk of stream) {
      if (typeof chunk === "string" && chunk !== "") onText(chunk);
      heldBack = true;
      await attempt.room();
      heldBack = false;
    }
  };
  // A pipe that is destroyed at the end, or an attempt that is over: the output stops there.
  return { done: run().catch(() => undefined), isHeldBack: () => heldBack };
}

/** The group is dead, so its pipes end; one that a stranger inherited is not waited for. */
async function drain(
  child: ChildProcess,
  pumps: readonly Pump[],
  signal: AbortSignal,
): Promise<void> {
  const done = Promise.all(pumps.map((one) => one.done)).then(() => true);
  for (;;) {
    const ended = await Promise.race([done, delay(500, false, { ref: false })]);
    if (ended || signal.aborted || !pumps.some((one) => one.isHeldBack())) break;
  }
  destroyPipes(child);
}

function destroyPipes(child: ChildProcess): void {
  for (const stream of child.stdio) stream?.destroy();
}
