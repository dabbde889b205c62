import type { SessionReport } from "@millrace/contracts";
import type { AttemptEnd } from "./decide-outcome.ts";
import type { RunState } from "./state.ts";

export type SessionNews = Pick<
  SessionReport,
  "attempt" | "kind" | "reason" | "message" | "retryable"
>;

/**
 * What an operator's word about a session means for its run: how the current attempt ended. Null: nothing, for it is
 * about an attempt that has ended already.
 */
export function decideSessionReport(state: RunState, news: SessionNews): AttemptEnd | null {
  if (news.attempt !== state.attempt) return null;
  switch (state.stage.kind) {
    case "created":
    case "queued":
    case "waiting":
    case "over":
      return null;
    case "dispatched":
    case "running":
    case "stopping":
    case "cancelling":
      return {
        kind: "session_over",
        reason: news.reason,
        error: news.message,
        retryable: isRetryable(news),
      };
  }
}

/** A session that was stopped though nobody asked the platform for it has failed, and can be tried again. */
function isRetryable({ kind, retryable }: SessionNews): boolean {
  return kind === "stopped" || retryable;
}
