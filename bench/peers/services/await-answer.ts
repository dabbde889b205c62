import { setTimeout as sleep } from "node:timers/promises";
import type { ProcessGroup } from "../../../scripts/process-group.ts";

const startMs = 60_000;
const pauseMs = 100;

/** Resolves when `url` answers anything at all; fails when its process has ended, or takes too long. */
export async function awaitAnswer(url: URL, server: ProcessGroup): Promise<void> {
  const deadline = Date.now() + startMs;
  while (!server.isOver && Date.now() < deadline) {
    try {
      await (await fetch(url)).body?.cancel();
      return;
    } catch {
      await sleep(pauseMs);
    }
  }
  throw new Error(`${url.origin} did not start`);
}
