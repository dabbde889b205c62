import type { Context } from "hono";
import { problem, type ProblemResponse } from "./problem.ts";
import type { Pruned } from "./run-log.ts";

/** Says from where the log can still be read, and where what came before is summed up. */
export function refusePruned(c: Context, runId: string, pruned: Pruned): ProblemResponse {
  const { projectId, earliest } = pruned;
  const snapshot = `/v1/projects/${projectId}/runs/${runId}/snapshot`;
  return problem(c, "gone", {
    message: `events before ${earliest} are not kept any more: take the snapshot, and go on after its "at"`,
    details: { earliest, snapshot },
  });
}
