import type { Tracer } from "@millrace/telemetry";
import type { Attempt } from "../attempt/attempt.ts";
import type { Logger } from "../log.ts";
import type { McpServer } from "../mcp/mcp-server.ts";
import type { ProviderEnv } from "../models/provider-env.ts";
import type { Workspace, WorkspaceStart } from "../workspaces/workspace.ts";
import type { EngineEnv } from "./engine-env.ts";

/** What the engine is given by the runner: configuration, and every way out of the process. */
export interface EngineServices {
  readonly env: EngineEnv;
  readonly providers: ProviderEnv;
  /** Values beside the provider keys that must not show anywhere: the pool token. */
  readonly secrets: readonly string[];
  /** Their tools are the model's too. */
  readonly mcpServers: readonly McpServer[];
  readonly openWorkspace: (start: WorkspaceStart, attempt: Attempt) => Promise<Workspace>;
  readonly fetch: typeof fetch;
  readonly clock: {
    /** Unix ms. */
    readonly now: () => number;
    /** From 0 to 1. */
    readonly random: () => number;
  };
  readonly tracer: Tracer;
  readonly log: Logger;
}
