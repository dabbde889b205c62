import type { ScenarioInput } from "./scenario.ts";

const tokenDelayMs = 12;

const packageJson = `${JSON.stringify(
  {
    name: "word-count",
    version: "1.0.0",
    description: "Counts the words of a text.",
    type: "module",
    bin: { "word-count": "./src/main.js" },
    scripts: { test: "node --test" },
  },
  null,
  2,
)}\n`;

const countWords = `/** How often each word occurs, the most frequent first. Case does not matter. */
export function countWords(text) {
  const counts = new Map();
  for (const word of text.toLowerCase().split(/[^a-z']+/)) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
}
`;

const main = `#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { countWords } from "./count-words.js";

const text = readFileSync(process.argv[2] ?? 0, "utf8");
for (const [word, count] of countWords(text).slice(0, 10)) console.log(\`\${count}\\t\${word}\`);
`;

const test = `import assert from "node:assert/strict";
import { test } from "node:test";
import { countWords } from "../src/count-words.js";

test("counts words without regard to case", () => {
  assert.deepEqual(countWords("The cat and the dog"), [["the", 2], ["and", 1], ["cat", 1], ["dog", 1]]);
});

test("finds no word in an empty text", () => {
  assert.deepEqual(countWords(""), []);
});

test("reads over punctuation", () => {
  assert.deepEqual(countWords("Stop! Don't -- stop."), [["stop", 2], ["don't", 1]]);
});
`;

const readme = `# word-count

Prints the ten most frequent words of a text.

    node src/main.js README.md
    echo "to be or not to be" | node src/main.js

Tests: \`npm test\`.
`;

const plan = {
  summary:
    "A small command line program in plain JavaScript that counts the words of a text, with tests.",
  todos: [
    {
      id: "1",
      title: "Set up the project",
      details: "package.json as an ES module, no dependencies",
    },
    {
      id: "2",
      title: "Count words",
      details: "A pure function in src/count-words.js, and src/main.js around it",
      acceptanceCriteria: ["Reads a file or standard input", "Prints the ten most frequent words"],
    },
    {
      id: "3",
      title: "Test it",
      acceptanceCriteria: ["npm test passes", "The empty text is covered"],
    },
  ],
};

const write = (path: string, content: string) => ({
  name: "write_file",
  arguments: { path, content },
});

const run = (command: string) => ({ name: "run_command", arguments: { command } });

/**
 * A session as a model played it: it looks around, plans, writes a small program, sees a test fail,
 * finds the fault, repairs it and says what it did. It suits any prompt, and may be played again in the
 * same workspace.
 */
export const exampleSession: ScenarioInput = {
  plan: [
    {
      tokenDelayMs,
      text: "I'll look at what is in the workspace first.",
      toolCalls: [{ name: "ls" }, { name: "glob", arguments: { pattern: "**/package.json" } }],
      usage: { prompt: 612, completion: 41 },
    },
    {
      tokenDelayMs,
      text: `Nothing here has to be kept, so I can choose the simplest layout: plain JavaScript for Node, its own test runner, no dependencies.\n\n\`\`\`json\n${JSON.stringify(plan, null, 2)}\n\`\`\`\n`,
      usage: { prompt: 701, completion: 238, cached: 512 },
    },
  ],
  build: [
    {
      tokenDelayMs,
      text: "First the project itself and the function at its heart.",
      toolCalls: [
        {
          name: "write_todos",
          arguments: {
            todos: plan.todos.map(({ id, title }) => ({
              id,
              title,
              status: id === "1" ? "in_progress" : "pending",
            })),
          },
        },
        write("package.json", packageJson),
        write("src/count-words.js", countWords),
        write("src/main.js", main),
      ],
      usage: { prompt: 934, completion: 412, cached: 512 },
    },
    {
      tokenDelayMs,
      text: "Now tests, and then I run them.",
      toolCalls: [write("test/count-words.test.js", test), run("node --test")],
      usage: { prompt: 1_402, completion: 231, cached: 896 },
    },
    {
      tokenDelayMs,
      text: "Two tests fail: splitting leaves an empty string at the ends, and it is counted as a word. I'll read the function again and repair it.",
      toolCalls: [
        { name: "read_file", arguments: { path: "src/count-words.js" } },
        {
          name: "edit_file",
          arguments: {
            path: "src/count-words.js",
            old_string: "  for (const word of text.toLowerCase().split(/[^a-z']+/)) {\n",
            new_string:
              "  // Splitting leaves an empty string before a separator that begins or ends the text.\n  for (const word of text.toLowerCase().split(/[^a-z']+/).filter(Boolean)) {\n",
          },
        },
        run("node --test"),
      ],
      usage: { prompt: 2_010, completion: 187, cached: 1_408 },
    },
    {
      tokenDelayMs,
      text: "All tests pass. I'll write a README and try the program on it.",
      toolCalls: [write("README.md", readme), run("node src/main.js README.md")],
      usage: { prompt: 2_488, completion: 143, cached: 1_920 },
    },
    {
      tokenDelayMs,
      text: "The program is done. `src/count-words.js` counts words without regard to case, `src/main.js` reads a file or standard input and prints the ten most frequent ones. The tests cover punctuation and the empty text; the latter found a fault in my first version, which I repaired. Try it with `node src/main.js README.md`, and run the tests with `npm test`.",
      usage: { prompt: 2_744, completion: 96, cached: 2_304 },
    },
  ],
};
