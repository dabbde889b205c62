import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ProcessGroup } from "./process-group.ts";
import { checkout } from "./settings.ts";

const firstBackoffMs = 1_000;
const maxBackoffMs = 30_000;
/** A runner that lived this long was well: its next failure is a first one. */
const wellAfterMs = 60_000;
/** The runner hands its runs back on SIGTERM; this is how long it may take over that. */
const drainMs = 15_000;

export interface RunnerCommand {
  readonly env: NodeJS.ProcessEnv;
  readonly logFile: string;
  readonly onRestart: (message: string) => void;
}

/** A runner process, replaced when it dies, until it is stopped. */
export class LocalRunner {
  readonly #command: RunnerCommand;
  readonly #stopping = new AbortController();
  readonly #done: Promise<void>;
  #process: ProcessGroup | null = null;
  #failures = 0;

  constructor(command: RunnerCommand) {
    this.#command = command;
    this.#done = this.#keep();
  }

  /** How often in a row it has ended soon after its start. */
  get failures(): number {
    return this.#failures;
  }

  /** Lets the runner hand back what it works on, then ends it. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#process?.stop(drainMs);
    await this.#done;
  }

  async #keep(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const startedAt = Date.now();
      this.#process = await this.#spawn();
      // Stopped while it was being made: `stop` knew only the one before.
      if (this.#stopping.signal.aborted) await this.#process.stop(0);
      const { code, signal } = await this.#process.exited;
      if (this.#stopping.signal.aborted) return;
      this.#failures = Date.now() - startedAt > wellAfterMs ? 1 : this.#failures + 1;
      const backoffMs = Math.min(firstBackoffMs * 2 ** (this.#failures - 1), maxBackoffMs);
      this.#command.onRestart(
        `The runner ended (${signal ?? `exit code ${code}`}; see ${this.#command.logFile}). ` +
          `Starting another in ${backoffMs / 1000} s.`,
      );
      await sleep(backoffMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
    }
  }

  #spawn(): Promise<ProcessGroup> {
    return ProcessGroup.spawn({
      command: process.execPath,
      args: [join(checkout, "runner-cluster/src/main.ts")],
      cwd: checkout,
      env: this.#command.env,
      logFile: this.#command.logFile,
    });
  }
}
