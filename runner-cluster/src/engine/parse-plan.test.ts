import { describe, it } from "vitest";
import { parsePlan, type Plan } from "./parse-plan.ts";

const fence = (value: unknown): string => `\`\`\`json\n${JSON.stringify(value)}\n\`\`\``;
const one = { id: "1", title: "a" };

const table: readonly (readonly [name: string, text: string, plan: Plan])[] = [
  [
    "JSON in a fence",
    `Notes.\n${fence({ summary: "s", todos: [one] })}`,
    { summary: "s", todos: [one] },
  ],
  ["bare JSON", JSON.stringify({ summary: "s", todos: [one] }), { summary: "s", todos: [one] }],
  [
    "the second fence, when the first is no plan",
    `${fence([1])}\n${fence({ plan: "p" })}`,
    { summary: "p", todos: [] },
  ],
  [
    "a broken fence and then a good one",
    `\`\`\`json\n{"a":\n\`\`\`\n${fence({ overview: "o" })}`,
    { summary: "o", todos: [] },
  ],
  [
    "other names for list, title and details",
    fence({ tasks: [{ task: "t", description: "d" }, { todo: "u" }, { name: "v" }] }),
    {
      summary: "Plan with 3 todo(s).",
      todos: [
        { id: "1", title: "t", details: "d" },
        { id: "2", title: "u" },
        { id: "3", title: "v" },
      ],
    },
  ],
  [
    "items without a title are left out, the others keep their place",
    fence({ summary: "s", steps: [{ details: "d" }, 7, null, { title: "t" }] }),
    { summary: "s", todos: [{ id: "4", title: "t" }] },
  ],
  [
    "items that are plain text",
    fence({ todos: ["first", "second"] }),
    {
      summary: "Plan with 2 todo(s).",
      todos: [
        { id: "1", title: "first" },
        { id: "2", title: "second" },
      ],
    },
  ],
  [
    "criteria that are text",
    fence({ summary: "s", todos: [{ id: 7, title: "t", acceptanceCriteria: ["a", "", 1, "b"] }] }),
    { summary: "s", todos: [{ id: "7", title: "t", acceptanceCriteria: ["a", "b"] }] },
  ],
  [
    "a list in Markdown",
    "# Plan\nDo three things.\n- [ ] one\n* [x] two\n3. three\n",
    {
      summary: "Do three things.",
      todos: [
        { id: "1", title: "one" },
        { id: "2", title: "[x] two" },
        { id: "3", title: "three" },
      ],
    },
  ],
];

describe("a plan", () => {
  it.for(table)("from %s", ([, text, expected], { expect }) => {
    expect(parsePlan(text, "prompt")).toEqual(expected);
  });

  it("from prose is one step", ({ expect }) => {
    const plan = parsePlan("I would simply do it.\nAt once.", "prompt");
    expect(plan.summary).toBe("I would simply do it.");
    expect(plan.todos).toMatchObject([{ id: "1", title: "Implement requested change" }]);
  });

  it("from nothing names the prompt", ({ expect }) => {
    const plan = parsePlan(" \n", `Make it ${"so ".repeat(100)}`);
    expect(plan.summary).toMatch(/^Execution plan for: Make it so/);
    expect(plan.summary.length).toBeLessThanOrEqual(140);
    expect(plan.todos).toHaveLength(1);
  });

  it("has a summary of bounded length", ({ expect }) => {
    expect(parsePlan("x".repeat(1_000), "p").summary).toHaveLength(240);
  });
});
