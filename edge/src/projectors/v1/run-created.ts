import type { v1 } from "@millrace/contracts";
import type { ThreadRun } from "@millrace/durable-objects";
import { v1Status } from "./run-status.ts";

/** The answer to a create; `created: false` for a request that was seen before. */
export function runCreated(run: ThreadRun, created: boolean): v1.RunCreated {
  return {
    id: run.runId,
    projectId: run.view.spec.projectId,
    status: v1Status(run.view),
    runIndex: run.runIndex,
    writable: run.writable,
    parentRunId: run.parentRunId,
    created,
  };
}
