import { describe, expect, it } from "vitest";
import { stages, stateIn } from "../testing/run-state.ts";
import { decideSessionReport, type SessionNews } from "./decide-session-report.ts";

const news: SessionNews = {
  attempt: 1,
  kind: "start_failed",
  reason: "ImagePullFailed",
  message: "no such image",
  retryable: false,
};

describe("decideSessionReport", () => {
  it.for([
    ["created", false],
    ["queued", false],
    ["dispatched", true],
    ["running", true],
    ["stopping", true],
    ["cancelling", true],
    ["waiting", false],
    ["over", false],
  ] as const)("in a %s run ends its attempt: %s", ([stage, ends]) => {
    const end = decideSessionReport(stateIn(stages[stage]), news);
    expect(end).toEqual(
      ends
        ? {
            kind: "session_over",
            reason: "ImagePullFailed",
            error: "no such image",
            retryable: false,
          }
        : null,
    );
  });

  it("ignores what is about another attempt", () => {
    expect(decideSessionReport(stateIn(stages.running, { attempt: 2 }), news)).toBeNull();
    expect(decideSessionReport(stateIn(stages.running), { ...news, attempt: 2 })).toBeNull();
  });

  it("lets a run go on whose session was stopped by nobody that it knows", () => {
    const end = decideSessionReport(stateIn(stages.running), { ...news, kind: "stopped" });
    expect(end).toMatchObject({ retryable: true });
  });
});
