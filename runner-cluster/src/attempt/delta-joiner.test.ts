import type { RunnerEvent } from "@millrace/contracts";
import { describe, expect, it } from "vitest";
import { DeltaJoiner } from "./delta-joiner.ts";

type Push = readonly [at: number, event: RunnerEvent];

const text = (value: string, messageId = "m"): RunnerEvent => ({
  type: "text.delta",
  data: { messageId, text: value },
});
const output = (chunk: string, stream: "stdout" | "stderr" = "stdout"): RunnerEvent => ({
  type: "tool.output",
  data: { callId: "c", name: "run_command", phase: "build", stream, chunk },
});
const other: RunnerEvent = { type: "text.finished", data: { messageId: "m" } };

/** Pushes, then takes what is left a second later. */
function play(pushes: readonly Push[]): readonly string[] {
  const joiner = new DeltaJoiner();
  const passed = pushes.flatMap(([at, event]) => joiner.push(event, at));
  return [...passed, ...joiner.take(1e6)].map(show);
}

function show(event: RunnerEvent): string {
  if (event.type === "text.delta") return `${event.data.messageId}:${event.data.text}`;
  return event.type === "tool.output" ? `${event.data.stream}:${event.data.chunk}` : event.type;
}

describe("DeltaJoiner", () => {
  const cases: readonly { name: string; pushes: readonly Push[]; passed: readonly string[] }[] = [
    { name: "a lone piece passes", pushes: [[0, text("a")]], passed: ["m:a"] },
    {
      name: "pieces within 25 ms are joined",
      pushes: [
        [0, text("a")],
        [5, text("b")],
        [20, text("c")],
        [24, text("d")],
      ],
      passed: ["m:a", "m:bcd"],
    },
    {
      name: "the piece at 25 ms completes the event",
      pushes: [
        [0, text("a")],
        [5, text("b")],
        [25, text("c")],
        [26, text("d")],
      ],
      passed: ["m:a", "m:bc", "m:d"],
    },
    {
      name: "anything else comes after what was said before it",
      pushes: [
        [0, text("a")],
        [1, text("b")],
        [2, other],
        [3, text("c")],
      ],
      passed: ["m:a", "m:b", "text.finished", "m:c"],
    },
    {
      name: "messages are kept apart",
      pushes: [
        [0, text("a")],
        [1, text("b")],
        [2, text("c", "n")],
        [3, text("d")],
      ],
      passed: ["m:a", "m:b", "n:c", "m:d"],
    },
    {
      name: "output is joined by stream",
      pushes: [
        [0, output("a")],
        [1, output("b")],
        [2, output("c")],
        [3, output("d", "stderr")],
      ],
      passed: ["stdout:a", "stdout:bc", "stderr:d"],
    },
    {
      name: "no more than 1 KiB together",
      pushes: [
        [0, text("a")],
        [1, text("b".repeat(1_000))],
        [2, text("c".repeat(100))],
      ],
      passed: ["m:a", `m:${"b".repeat(1_000)}`, `m:${"c".repeat(100)}`],
    },
  ];
  it.each(cases)("$name", ({ pushes, passed }) => expect(play(pushes)).toEqual(passed));

  it("passes the first piece at once and says when the next is due", () => {
    const joiner = new DeltaJoiner();
    expect(joiner.push(text("a"), 100)).toHaveLength(1);
    expect(joiner.dueInMs(100)).toBeUndefined();
    expect(joiner.push(text("b"), 105)).toHaveLength(0);
    expect(joiner.dueInMs(105)).toBe(20);
    expect(joiner.dueInMs(500)).toBe(0);
  });
});
