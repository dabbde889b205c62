import type { Claimed, RunnerEvent } from "@millrace/contracts";
import { noTracer } from "@millrace/telemetry";
import { EngineEnv } from "../engine/engine-env.ts";
import { execute } from "../engine/execute.ts";
import { makeLogger } from "../log.ts";
import type { McpServer } from "../mcp/mcp-server.ts";
import { ProviderEnv } from "../models/provider-env.ts";
import { openDirectoryWorkspace, type DirectoryWorkspace } from "./directory-workspace.ts";
import { makeClaimed, MemoryAttempt } from "./memory-attempt.ts";

interface Setup {
  readonly providers: Readonly<Record<string, string>>;
  readonly claimed?: Partial<Claimed>;
  readonly steps?: readonly unknown[];
  readonly env?: Readonly<Record<string, string>>;
  readonly workspace?: DirectoryWorkspace;
  readonly secrets?: readonly string[];
  readonly mcpServers?: readonly McpServer[];
}

/** Executes an attempt on a directory workspace, with its events, steps and outcome at hand. */
export function startAttempt(prompt: string, setup: Setup) {
  const workspace = setup.workspace ?? openDirectoryWorkspace();
  const attempt = new MemoryAttempt(makeClaimed(prompt, setup.claimed), setup.steps);
  const lines: string[] = [];
  const done = execute(attempt, {
    env: EngineEnv.parse(setup.env ?? {}),
    providers: ProviderEnv.parse(setup.providers),
    secrets: setup.secrets ?? [],
    mcpServers: setup.mcpServers ?? [],
    openWorkspace: () => Promise.resolve(workspace),
    fetch,
    clock: { now: Date.now, random: () => 0 },
    tracer: noTracer,
    log: makeLogger({ secrets: [], write: (line) => lines.push(line) }),
  });
  return {
    attempt,
    workspace,
    done,
    lines,
    types: (): readonly string[] => attempt.events.map((event) => event.type),
    of: <T extends RunnerEvent["type"]>(type: T) =>
      attempt.events.filter((event) => event.type === type) as Extract<RunnerEvent, { type: T }>[],
    /** Acts right after the event of that type, or the `count`th of them, was appended. */
    when: (type: RunnerEvent["type"], act: () => void, count = 1): void => {
      let seen = 0;
      attempt.onEvent = (event) => {
        if (event.type !== type) return;
        seen += 1;
        if (seen === count) setImmediate(act);
      };
    },
  };
}

export const writeCall = (path: string, content = "text") => ({
  name: "write_file",
  arguments: { path, content },
});

export const commandCall = (command: string) => ({ name: "run_command", arguments: { command } });
