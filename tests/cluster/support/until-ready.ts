import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ProcessGroup } from "../../../scripts/process-group.ts";

interface Starting {
  /** As the message names it. */
  readonly what: string;
  readonly directory: string;
  readonly group: ProcessGroup;
  /** In the directory; shown when it does not start. */
  readonly log: string;
  readonly timeoutMs: number;
}

/** Waits for the file by which the scripts of a cluster say that it is up. */
export async function untilReady(starting: Starting): Promise<void> {
  const { what, directory, group, log, timeoutMs } = starting;
  const deadline = Date.now() + timeoutMs;
  while (!existsSync(join(directory, "ready"))) {
    if (group.isOver || Date.now() > deadline) {
      throw new Error(`${what} did not start:\n${readFileSync(join(directory, log), "utf8")}`);
    }
    await sleep(50);
  }
}
