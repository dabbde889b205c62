import type { Phase, Redactor } from "@millrace/contracts";
import type { Span } from "@millrace/telemetry";
import type { Attempt } from "../attempt/attempt.ts";
import type { McpTools } from "../mcp/open-mcp-servers.ts";
import type { ResolvedModel } from "../models/resolve-model.ts";
import type { Place } from "../tools/toolsets.ts";
import type { Workspace } from "../workspaces/workspace.ts";
import type { EngineServices } from "./engine-services.ts";
import type { Journal } from "./journal.ts";
import { unlessAborted } from "./unless-aborted.ts";

/** Everything that the work of an attempt needs once its workspace is open. */
export interface Session {
  readonly attempt: Attempt;
  readonly services: EngineServices;
  readonly journal: Journal;
  readonly redactor: Redactor;
  readonly workspace: Workspace;
  readonly mcp: Pick<McpTools, "tools" | "notes">;
  readonly model: ResolvedModel;
  /** Of the attempt, or of the phase that it is in. */
  readonly span: Span;
  /** Aborts for good: cancelled, drained, fenced, or the run's time is over. */
  readonly stop: AbortSignal;
}

/** Where the model stands in that phase. */
export const placeOf = ({ attempt, mcp }: Session, phase: Phase): Place => ({
  phase,
  interactive: attempt.claimed.spec.interactive,
  remote: mcp.tools,
});

/**
 * Waits until a tool or a model call may begin, and answers the signal for it: aborts with `stop`, and
 * with LeaseLost at the lease's end.
 */
export async function begin(session: Session): Promise<AbortSignal> {
  await unlessAborted(session.attempt.ready(), session.stop);
  return AbortSignal.any([session.attempt.workSignal(), session.stop]);
}
