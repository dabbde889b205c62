import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { Socket } from "node:net";
import { markerVariable } from "./process-groups.ts";

/**
 * Reads "guard <group>" and "free <group>"; at the end of its input (the runner is gone, however it went)
 * it kills the groups that are still guarded, and then everything with the marker, because a command may have
 * started a session of its own.
 */
const script = `
trap '' HUP INT QUIT TERM
guarded=
while read -r verb group; do
  case $verb in
    guard) guarded="$guarded $group" ;;
    free)
      rest=
      for one in $guarded; do [ "$one" = "$group" ] || rest="$rest $one"; done
      guarded=$rest ;;
  esac
done
[ -n "$guarded" ] || exit 0
for one in $guarded; do kill -s KILL -- "-$one" 2>/dev/null; done
for round in 1 2 3; do
  for file in /proc/[0-9]*/environ; do
    grep -qsa "${markerVariable}=$1" "$file" || continue
    pid=\${file#/proc/}
    kill -s KILL "\${pid%/environ}" 2>/dev/null
  done
done
`;

/**
 * A small process outside the commands' groups and session that outlives a killed runner just long
 * enough to end its commands. The pipe to it is the sign of life: no polling, no timer.
 */
export class Watchdog {
  readonly #marker: string;
  readonly #guarded = new Set<number>();
  #child: ChildProcess | undefined;
  #restarts = 0;

  constructor(marker: string) {
    this.#marker = marker;
  }

  /** Resolves when the watchdog's pipe holds the order: from then on the group dies with the runner. */
  async guard(group: number): Promise<void> {
    this.#guarded.add(group);
    if (this.#child) return send(this.#child, `guard ${group}\n`);
    await this.#guardAll();
  }

  async #guardAll(): Promise<void> {
    this.#child = this.#start();
    await send(this.#child, [...this.#guarded].map((one) => `guard ${one}\n`).join(""));
  }

  async free(group: number): Promise<void> {
    if (!this.#guarded.delete(group) || !this.#child) return;
    await send(this.#child, `free ${group}\n`);
  }

  /** Ends the watchdog, which kills what is still guarded. */
  stop(): void {
    const child = this.#child;
    this.#child = undefined;
    child?.stdin?.end();
  }

  #start(): ChildProcess {
    const child = spawn("/bin/sh", ["-c", script, "millrace-watchdog", this.#marker], {
      detached: true,
      cwd: "/",
      env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
      stdio: ["pipe", "ignore", "ignore"],
    });
    child.once("error", () => this.#forget(child));
    child.once("exit", () => this.#forget(child));
    // A write to a watchdog that was killed; the next guard starts another one.
    child.stdin?.on("error", () => this.#forget(child));
    child.unref();
    // The pipe must not keep the runner alive either: its end is what the watchdog waits for.
    if (child.stdin instanceof Socket) child.stdin.unref();
    return child;
  }

  /** Somebody killed it, or memory was short: commands that run get another one, but not for ever. */
  #forget(child: ChildProcess): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#restarts += 1;
    if (this.#guarded.size === 0 || this.#restarts > maxRestarts) return;
    this.#guardAll().catch(() => undefined);
  }
}

const maxRestarts = 10;

function send(child: ChildProcess, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    // A process that could not be started for want of descriptors has no pipe.
    if (!child.stdin) return reject(new Error("the watchdog could not be started"));
    child.stdin.write(text, (error) => (error ? reject(error) : resolve()));
  });
}
