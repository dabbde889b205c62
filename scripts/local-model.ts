import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { ProcessGroup } from "./process-group.ts";
import { tail } from "./progress.ts";
import { checkout, StartRefused } from "./settings.ts";

const startTimeoutMs = 20_000;
const Listening = z.object({ url: z.url() });

/**
 * Starts the model server that replays a recorded session; answers the environment with which a
 * runner uses it.
 */
export async function startLocalModel(
  logFile: string,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  const group = await ProcessGroup.spawn({
    command: process.execPath,
    args: [join(checkout, "tests/support/model-server/main.ts")],
    cwd: checkout,
    env: { PATH: process.env["PATH"] },
    logFile,
  });
  const deadline = Date.now() + startTimeoutMs;
  while (!group.isOver && Date.now() < deadline) {
    signal.throwIfAborted();
    const [line, rest] = readFileSync(logFile, "utf8").split("\n", 2);
    if (line && rest !== undefined)
      return {
        AGENT_PROVIDER: "openai",
        OPENAI_BASE_URL: Listening.parse(JSON.parse(line)).url,
        OPENAI_API_KEY: "the-local-model-asks-for-none",
      };
    await sleep(50);
  }
  throw new StartRefused(
    `the local model server did not start:\n${tail(readFileSync(logFile, "utf8"))}`,
  );
}
