import type { RunRecord, Violation } from "../record.ts";

/** P9: each command of a run leaves its own mark. A completed call left one, and none left two. */
export function checkExecutions({ runId, log, executions }: RunRecord): readonly Violation[] {
  const counts = new Map<string, number>();
  for (const { mark } of executions) counts.set(mark, (counts.get(mark) ?? 0) + 1);
  const violations: Violation[] = [];
  for (const [mark, count] of counts) {
    if (count > 1) {
      violations.push({ promise: "P9", runId, evidence: `${mark} was executed ${count} times` });
    }
  }
  for (const mark of completedMarks(log)) {
    if (!counts.has(mark)) {
      violations.push({ promise: "P9", runId, evidence: `${mark} completed and left nothing` });
    }
  }
  return violations;
}

/** Marks of the commands that the log says were completed. */
function completedMarks(log: RunRecord["log"]): readonly string[] {
  const markOf = new Map<unknown, string>();
  const marks: string[] = [];
  for (const { type, data } of log) {
    if (type === "tool.started") {
      const mark = /: mark ([\w-]+)/.exec(JSON.stringify(data["input"]))?.[1];
      if (mark !== undefined) markOf.set(data["callId"], mark);
    }
    const mark = markOf.get(data["callId"]);
    if (type === "tool.finished" && data["ok"] === true && mark !== undefined) marks.push(mark);
  }
  return marks;
}
