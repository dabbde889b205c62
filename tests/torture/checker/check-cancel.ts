import type { RunRecord, Violation } from "../record.ts";

/** What is under way at the end needs a moment to be gone, on a machine that has other work too. */
const slackMs = 5_000;

/** P5: once accepted, the outcome is cancelled; and nothing works behind the end. */
export function checkCancel(run: RunRecord): readonly Violation[] {
  const { runId, cancels, log } = run;
  const end = log.at(-1);
  if (end === undefined) return [];
  const violations: Violation[] = [];
  const isAccepted = cancels.some(({ cancelled }) => cancelled);
  if (isAccepted && end.type !== "run.cancelled") {
    violations.push({
      promise: "P5",
      runId,
      evidence: `a cancel was accepted, and it ${end.type}`,
    });
  }
  // Cut off, and the run says that nobody proved the runner dead: then its own lease ends its work.
  if (end.data["forced"] === true || !isOfRunner(end.type)) return violations;
  const over = Date.parse(end.ts) + slackMs;
  const late = [
    ...run.executions.filter(({ at }) => at > over).map(({ mark }) => `command ${mark}`),
    ...run.modelCalls.filter(({ at }) => at > over).map(() => "a model call"),
  ];
  for (const evidence of late) {
    violations.push({ promise: "P5", runId, evidence: `${evidence} behind the end` });
  }
  return violations;
}

/** Ends that the runner itself reported. */
const isOfRunner = (type: string): boolean => type === "run.succeeded" || type === "run.cancelled";
