import { describe, expect, it } from "vitest";
import { encodeEvent, encodeRow } from "./log-frame.ts";
import type { NewEvent } from "./event.ts";
import { emptySnapshot, RunSnapshot, SnapshotFold } from "./run-snapshot.ts";

const build = "build" as const;
const usage = {
  inputTokens: 10,
  outputTokens: 5,
  totalTokens: 15,
  cachedInputTokens: null,
  reasoningOutputTokens: null,
};

const started = (attempt: number, from?: number, to?: number): NewEvent => ({
  type: "run.started",
  data: {
    attempt,
    maxAttempts: 3,
    runnerId: "r",
    ...(from !== undefined && to !== undefined && { supersedes: { from, to } }),
  },
});
const textOf = (messageId: string, ...texts: readonly string[]): NewEvent[] => [
  { type: "text.started", data: { messageId, phase: build } },
  ...texts.map((text) => ({ type: "text.delta", data: { messageId, text } }) as const),
  { type: "text.finished", data: { messageId } },
];
const call = { callId: "c", name: "write_file", phase: build };

const life: readonly NewEvent[] = [
  { type: "run.queued", data: { runIndex: 1, kind: "run" } },
  started(1),
  { type: "run.phase", data: { phase: "plan", state: "started" } },
  { type: "run.plan", data: { phase: "plan", summary: "s", todos: [{ id: "1", title: "t" }] } },
  { type: "run.phase", data: { phase: "build", state: "started" } },
  { type: "model.resolved", data: { provider: "openai", model: "gpt-5", source: "env" } },
  ...textOf("m1", "Hel", "lo"),
  { type: "tool.started", data: { ...call, input: { path: "a" } } },
  { type: "file.changed", data: { callId: "c", op: "write", path: "a", phase: build } },
  { type: "tool.finished", data: { ...call, ok: true, output: { bytes: 3 }, durationMs: 1 } },
  { type: "usage", data: { ...usage, provider: "openai", model: "gpt-5" } },
  ...textOf("m2", "half"),
  // The attempt died after m1: what began behind it is replaced.
  started(2, 14, 17),
  ...textOf("m3", "whole"),
  { type: "usage", data: { ...usage, provider: "openai", model: "gpt-5" } },
  { type: "run.succeeded", data: { output: "done", usage: null, durationMs: 5 } },
];

function rowsOf(events: readonly NewEvent[], first = 1): string {
  return encodeRow({ first, at: 1_000, body: events.map((event) => encodeEvent(event)).join("") });
}

function fold(...rows: readonly string[]): RunSnapshot {
  const snapshot = new SnapshotFold();
  for (const text of rows) snapshot.add(text);
  return snapshot.snapshot();
}

describe("a snapshot", () => {
  it("of no events is an empty one", () => {
    expect(fold()).toEqual(emptySnapshot());
  });

  it("adds a run's events up, without what a dead attempt left", () => {
    const snapshot = fold(rowsOf(life.slice(0, -1)));
    expect(RunSnapshot.parse(snapshot)).toEqual(snapshot);
    expect(snapshot.at).toBe(life.length - 1);
    expect(snapshot.state).toMatchObject({
      status: "running",
      attempt: 2,
      phase: "build",
      plan: { summary: "s" },
      provider: "openai",
      model: "gpt-5",
      usage: { ...usage, inputTokens: 20, outputTokens: 10, totalTokens: 30 },
      changedFiles: ["a"],
    });
    const seen = snapshot.messages.map((message) =>
      message.role === "tool" ? [message.name, message.ok] : [message.text, message.finished],
    );
    expect(seen).toEqual([
      ["Hello", true],
      ["write_file", true],
      ["whole", true],
    ]);
    expect(fold(rowsOf(life)).state).toMatchObject({ status: "succeeded", output: "done" });
  });

  it("and its suffix make what the whole makes, wherever the two are parted", () => {
    const whole = fold(rowsOf(life));
    for (let at = 0; at <= life.length; at += 1) {
      const early = fold(rowsOf(life.slice(0, at)));
      expect(early.at).toBe(at);
      const later = new SnapshotFold(early);
      later.add(rowsOf(life));
      expect(later.snapshot()).toEqual(whole);
    }
  });

  it("stays small: it leaves out old messages, the front of long texts, and large JSON", () => {
    const many = Array.from({ length: 600 }, (_, n) => textOf(`m${n}`, "x")).flat();
    const crowded = fold(rowsOf(many));
    expect(crowded.messages).toHaveLength(500);
    expect(crowded.state.omittedMessages).toBe(100);
    const long = fold(rowsOf(textOf("m", ...Array.from({ length: 100 }, () => "y".repeat(1_000)))));
    const [text] = long.messages;
    if (text === undefined || text.role === "tool") throw new Error("no text");
    expect(text.text.length).toBeLessThanOrEqual(64 * 1024);
    expect(text.text.length + text.omittedChars).toBe(100_000);
    const input = "z".repeat(20_000);
    const large = fold(rowsOf([{ type: "tool.started", data: { ...call, input } }]));
    expect(large.messages).toMatchObject([{ input: { cut: { seq: 1 } }, ok: null }]);
  });
});
