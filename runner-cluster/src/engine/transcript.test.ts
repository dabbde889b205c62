import { describe, it } from "vitest";
import type { EngineStep } from "./step.ts";
import {
  answersIn,
  compact,
  filesStates,
  finalAnswer,
  pendingCalls,
  phaseMessages,
  planOf,
} from "./transcript.ts";

const call = (callId: string, name = "ls") => ({ callId, name, arguments: "{}" });
const assistant = (
  phase: "plan" | "build",
  text: string,
  ...ids: readonly string[]
): EngineStep => ({ kind: "assistant", phase, text, calls: ids.map((id) => call(id)) });
const tool = (phase: "plan" | "build", callId: string, tree?: string): EngineStep => ({
  kind: "tool",
  phase,
  callId,
  content: `result of ${callId}`,
  ...(tree ? { files: { tree, pack: null } } : {}),
});

const steps: readonly EngineStep[] = [
  { kind: "begun" },
  assistant("plan", "looking", "p1"),
  tool("plan", "p1"),
  assistant("plan", "the plan"),
  { kind: "planned", plan: { summary: "s", todos: [] } },
  assistant("build", "", "b1", "b2"),
  tool("build", "b1", "tree1"),
];

describe("the transcript", () => {
  it("says where each phase is", ({ expect }) => {
    expect(finalAnswer(steps, "plan")).toBe("the plan");
    expect(finalAnswer(steps, "build")).toBeUndefined();
    expect(answersIn(steps, "plan")).toBe(2);
    expect(planOf(steps)).toEqual({ summary: "s", todos: [] });
  });

  it("knows which calls have no result", ({ expect }) => {
    expect(pendingCalls(steps, "build").map((c) => c.callId)).toEqual(["b2"]);
    expect(pendingCalls(steps, "plan")).toEqual([]);
  });

  it("carries the states of the files in order", ({ expect }) => {
    expect(filesStates(steps)).toEqual([{ tree: "tree1", pack: null }]);
  });

  it("gives the model one phase only", ({ expect }) => {
    expect(phaseMessages(steps, "build")).toEqual([
      {
        role: "assistant",
        content: null,
        tool_calls: ["b1", "b2"].map((id) => ({
          id,
          type: "function",
          function: { name: "ls", arguments: "{}" },
        })),
      },
      { role: "tool", tool_call_id: "b1", content: "result of b1" },
    ]);
  });
});

const result = (n: number) => ({
  role: "tool" as const,
  tool_call_id: `c${n}`,
  content: `${n}`.padEnd(1_000, "x"),
});
const messages = Array.from({ length: 60 }, (_, n) => result(n));
const dropped = (list: readonly { readonly content?: unknown }[]): number =>
  list.filter((message) => String(message.content).startsWith("[This result")).length;

describe("compaction", () => {
  it("leaves a short transcript alone", ({ expect }) => {
    expect(compact(messages.slice(0, 10), 20_000)).toEqual(messages.slice(0, 10));
  });

  it("drops the oldest results and keeps the last ones", ({ expect }) => {
    const compacted = compact(messages, 20_000);
    expect(compacted).toHaveLength(60);
    expect(compacted.at(-1)).toEqual(messages.at(-1));
    expect(JSON.stringify(compacted).length).toBeLessThan(30_000);
  });

  it("changes the start of the conversation seldom, so that prompt caches last", ({ expect }) => {
    const counts = messages.map((_, n) => dropped(compact(messages.slice(0, n + 1), 20_000)));
    expect(new Set(counts).size).toBeLessThan(12);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
  });
});
