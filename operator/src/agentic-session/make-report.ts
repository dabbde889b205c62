import {
  type AgenticSessionStatus,
  SessionReport,
  type SessionStart,
  type SessionStop,
} from "@millrace/contracts";
import type { Found } from "./checks.ts";
import { type Facts, isConnected } from "./facts.ts";
import type { Refusal } from "./refusal.ts";

type Pending = NonNullable<AgenticSessionStatus["reports"]>[number];

/** What the platform is told of an attempt's end. The same end has the same key, however often it is found. */
export function makeFailureReport(facts: Facts, runId: string, found: Found): Pending {
  return pending(facts, {
    runId,
    kind: isConnected(facts) ? "ended" : "start_failed",
    reason: found.check.reason,
    message: found.message,
    evidence: found.evidence,
    retryable: found.check.retryable,
  });
}

/** The attempt is dead because the platform wanted it so. */
export function makeStoppedReport(facts: Facts, runId: string): Pending {
  const message = facts.pod ? "The session's pod was stopped" : "Nothing of the session is running";
  return pending(facts, {
    runId,
    kind: "stopped",
    reason: "Stopped",
    message,
    evidence: {},
    retryable: false,
  });
}

/** A refusal of the API server, where no check can look. */
export function makeRefusalReport(facts: Facts, runId: string, refusal: Refusal): Pending {
  const { reason, message, retryable } = refusal;
  return pending(facts, {
    runId,
    kind: "start_failed",
    reason,
    message: message.slice(0, 1024),
    evidence: { detail: message.slice(0, 4096) },
    retryable,
  });
}

/** Of an attempt that has no session to remember it. */
export function makeStartRefusal(
  { runId, attempt }: SessionStart,
  { reason, message, retryable }: Refusal,
): SessionReport {
  const key = `${runId}/${attempt}/start_failed`;
  return unseen({ key, runId, attempt, kind: "start_failed", reason, message, retryable });
}

/** Asked to stop what is not there. */
export function makeNothingRuns({ runId, attempt }: SessionStop): SessionReport {
  const message = "Nothing of the session is running";
  const key = `${runId}/${attempt}/stopped`;
  return unseen({
    key,
    runId,
    attempt,
    kind: "stopped",
    reason: "Stopped",
    message,
    retryable: false,
  });
}

const unseen = ({ message, ...of }: Omit<SessionReport, "type" | "evidence">): SessionReport => ({
  type: "report",
  ...of,
  message: message.slice(0, 1024),
  evidence: {},
});

export function readPending({ body }: Pending): SessionReport | undefined {
  try {
    const report = SessionReport.safeParse(JSON.parse(body));
    return report.success ? report.data : undefined;
  } catch {
    return undefined;
  }
}

function pending(
  { session, attempt }: Facts,
  report: Omit<SessionReport, "type" | "key" | "attempt">,
): Pending {
  const key = `${session.metadata.uid}/${attempt}/${report.kind}`;
  const body: SessionReport = { type: "report", key, attempt, ...report };
  return { key, body: JSON.stringify(body) };
}
