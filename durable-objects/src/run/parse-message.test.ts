import { RunnerToRun } from "@millrace/contracts";
import { describe, expect, it } from "vitest";
import { parseRunnerMessage } from "./parse-message.ts";

const output = { callId: "c", name: "run_command", phase: "build", stream: "stdout", chunk: "x" };
const frame = (event: unknown, more = {}) => ({
  type: "frame",
  producerSeq: 1,
  events: [event],
  ...more,
});
const delta = { type: "text.delta", data: { messageId: "m", text: "t" } };

const messages: readonly unknown[] = [
  frame(delta),
  frame({ type: "text.delta", data: { messageId: "m", text: "t", extra: 1 }, extra: 2 }),
  frame({ type: "reasoning.delta", data: { messageId: "m", text: "" } }),
  frame({ type: "tool.output", data: output }),
  frame({ type: "tool.output", data: { ...output, cmd: "ls", extra: 1 } }),
  frame({ type: "tool.output", data: { ...output, cmd: 7 } }),
  frame({ type: "tool.output", data: { ...output, stream: "stdin" } }),
  frame({ type: "tool.output", data: { ...output, phase: "later" } }),
  frame({ type: "text.delta", data: { messageId: 1, text: "t" } }),
  frame({ type: "text.delta" }),
  frame({ type: "run.succeeded", data: { output: "", usage: null, durationMs: 0 } }),
  frame({ type: "text.finished", data: { messageId: "m" } }),
  frame(delta, { steps: [{ n: 1, body: "{}" }] }),
  frame(delta, { outcome: { kind: "cancelled" } }),
  frame(delta, { producerSeq: 0 }),
  frame(delta, { producerSeq: 1.5 }),
  { type: "frame", producerSeq: 1, events: [] },
  { type: "frame", producerSeq: 1, events: Array.from({ length: 1001 }, () => delta) },
  { type: "frame", producerSeq: 1 },
  { type: "heartbeat", id: 1 },
  { type: "other" },
  [],
  null,
  "text",
];

describe("parseRunnerMessage", () => {
  it.for(messages)("judges as the schema does: %j", (message) => {
    const bySchema = RunnerToRun.safeParse(message).data ?? null;
    expect(parseRunnerMessage(JSON.stringify(message))).toEqual(bySchema);
  });

  it("is null for what is not JSON", () => {
    expect(parseRunnerMessage("{")).toBeNull();
  });
});
