import type { Phase, RunnerEvent, StreamRedactor } from "@millrace/contracts";
import type { z } from "zod";
import type { Workspace } from "../workspaces/workspace.ts";

/** A tool refuses what it was asked. The model reads the message and decides what to do instead. */
export class ToolRefusal extends Error {
  override readonly name = "ToolRefusal";
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface ToolContext {
  readonly workspace: Workspace;
  readonly callId: string;
  readonly phase: Phase;
  /** Aborts when the run is cancelled, the runner drains, the lease ends or the run's time is over. */
  readonly signal: AbortSignal;
  readonly commandTimeoutMs: number;
  /** Appends an event at once, for output that is shown while the tool works. */
  readonly emit: (event: RunnerEvent) => void;
  /** Makes a redactor for one stream of output. */
  readonly redactStream: () => StreamRedactor;
}

type Json = z.core.util.JSONType;

export interface ToolResult {
  /** For `tool.finished`: what a program wants to know. */
  readonly output: Json;
  /** For the model: what it reads. */
  readonly content: string;
  /** `file.*` events: what the tool did, told only after it was done. */
  readonly events: readonly RunnerEvent[];
}

/** A tool of the model. `Args` is what its schema makes of the model's JSON. */
export interface Tool<Args = unknown> {
  readonly name: string;
  readonly description: string;
  readonly schema: z.ZodType<Args>;
  /** It may change the workspace or the world: it runs only after its start is durable. */
  readonly mutates: boolean;
  execute(args: Args, context: ToolContext): Promise<ToolResult>;
}
