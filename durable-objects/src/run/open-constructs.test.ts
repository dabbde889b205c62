import { encodeEvent, type NewEvent } from "@millrace/contracts";
import { describe, expect, it } from "vitest";
import { findInterrupted } from "./open-constructs.ts";

const call = (callId: string) => ({ callId, name: "ls", phase: "plan" }) as const;
const started = (callId: string): NewEvent => ({
  type: "tool.started",
  data: { ...call(callId), input: {} },
});
const finished = (callId: string): NewEvent => ({
  type: "tool.finished",
  data: { ...call(callId), ok: true, output: "", durationMs: 1 },
});
const text = (type: "text.started" | "reasoning.started", messageId: string): NewEvent => ({
  type,
  data: { messageId, phase: "plan" },
});

function find(events: readonly NewEvent[], first = 1, checkpointSeq = 0) {
  const body = events.map((event) => encodeEvent(event)).join("");
  const rows = [{ first: 1, at: 100, body }];
  return findInterrupted({ first, checkpointSeq, tail: events.length, rows, now: 150 });
}

const queued: NewEvent = { type: "run.queued", data: { runIndex: 1, kind: "run" } };

describe("findInterrupted", () => {
  it("finds nothing where everything was closed", () => {
    const found = find([queued, started("a"), finished("a")], 1, 3);
    expect(found).toEqual({ closers: [], callIds: [], superseded: null });
  });

  it("closes calls and messages in the order in which they were opened", () => {
    const found = find([
      queued,
      text("reasoning.started", "r"),
      started("a"),
      started("b"),
      text("text.started", "m"),
      finished("a"),
    ]);
    const error = { code: "interrupted", message: expect.any(String) as string };
    expect(found.closers).toEqual([
      { type: "reasoning.finished", data: { messageId: "r", interrupted: true } },
      { type: "tool.finished", data: { ...call("b"), ok: false, error, durationMs: 50 } },
      { type: "text.finished", data: { messageId: "m", interrupted: true } },
    ]);
    expect(found.callIds).toEqual(["b"]);
  });

  it("looks at one attempt only", () => {
    expect(find([started("old"), queued, started("new")], 2).callIds).toEqual(["new"]);
  });

  it("supersedes what came after the last checkpoint, closers included", () => {
    const events = [queued, started("a"), finished("a"), started("b")];
    expect(find(events, 1, 3).superseded).toEqual({ from: 4, to: 5 });
    expect(find(events, 1, 0).superseded).toEqual({ from: 2, to: 5 });
    expect(find([queued], 1, 0).superseded).toBeNull();
  });
});
