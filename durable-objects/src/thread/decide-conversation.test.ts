import type { ConversationMessage } from "@millrace/contracts";
import { describe, expect, it } from "vitest";
import { decideConversation } from "./decide-conversation.ts";
import type { Turn } from "./decide-conversation.ts";
import { decidePage } from "./decide-page.ts";

const user = (content: string): ConversationMessage => ({ role: "user", content });
const assistant = (content: string): ConversationMessage => ({ role: "assistant", content });
const third = { prompt: "333", answer: "cc" };
const second = { prompt: "22", answer: null };
const first = { prompt: "1", answer: "a" };

function* endless(): Generator<Turn> {
  for (;;) yield third;
}

describe("decideConversation", () => {
  it.for<[string, readonly Turn[], number, readonly ConversationMessage[]]>([
    ["no earlier run", [], 10, []],
    [
      "oldest first, answers only where there are any",
      [third, second, first],
      9,
      [user("1"), assistant("a"), user("22"), user("333"), assistant("cc")],
    ],
    [
      "the oldest turn is left out whole",
      [third, second, first],
      8,
      [user("22"), user("333"), assistant("cc")],
    ],
    [
      "nothing older than a turn that does not fit",
      [third, { prompt: "22222", answer: null }, first],
      9,
      [user("333"), assistant("cc")],
    ],
    ["the newest answer is cut", [third, first], 4, [user("333"), assistant("c")]],
    ["the newest prompt alone", [third, first], 3, [user("333")]],
  ])("%s", ([, newestFirst, maxChars, messages]) => {
    expect(decideConversation(newestFirst, maxChars)).toEqual(messages);
  });

  it("reads no further back than it needs", () => {
    expect(decideConversation(endless(), 12)).toHaveLength(4);
  });
});

describe("decidePage", () => {
  it.for([
    ["nothing", [], 0],
    ["all that fit", [4, 4, 2], 3],
    ["as many as fit", [4, 4, 3], 2],
    ["one, even if it alone is too big", [11, 1], 1],
  ] as const)("%s", ([, sizes, items]) => {
    expect(decidePage(sizes, 10)).toBe(items);
  });
});
