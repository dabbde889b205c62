import { encodeEvent, limits, RunnerEvent } from "@millrace/contracts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { scripted, startModelServerProcess } from "../testing/model-server-process.ts";
import { commandCall, startAttempt, writeCall } from "../testing/start-attempt.ts";

let server: Awaited<ReturnType<typeof startModelServerProcess>>;
beforeAll(async () => {
  server = await startModelServerProcess();
});
afterAll(() => server.stop());

const huge = 270_000;
const plan = {
  summary: "s".repeat(huge),
  todos: [{ title: "t".repeat(huge), acceptanceCriteria: ["c".repeat(huge)] }],
};

/** A model that says everything at a length that the log does not take. */
const scenario = {
  plan: [{ text: JSON.stringify(plan), reasoning: "r".repeat(huge) }],
  build: [
    {
      toolCalls: [
        writeCall("large.txt", "w".repeat(huge)),
        writeCall("p".repeat(huge)),
        { name: "n".repeat(huge), arguments: {} },
        { name: "write_file", arguments: `{"path":"${"j".repeat(huge)}` },
        { name: "ls", arguments: "[".repeat(20_000) + "]".repeat(20_000) },
        { name: "ls", arguments: { ["k".repeat(huge)]: "" } },
        commandCall(`head -c ${huge} /dev/zero`),
      ],
    },
    // One word, so that it comes in one piece.
    { text: "\u0001".repeat(huge) },
  ],
};

const pairOf = ({ callId, name }: { callId: string; name: string }) => [callId, name];

it("writes nothing that the log refuses, however much the model says", async () => {
  const providers = { OPENAI_API_KEY: "sk-of-nobody", OPENAI_BASE_URL: server.url };
  const { attempt, workspace, done, of } = startAttempt(scripted("huge", scenario), { providers });
  await done;
  workspace.remove();
  expect(attempt.outcome).toMatchObject({ kind: "succeeded" });
  expect(JSON.stringify(attempt.outcome).length).toBeLessThan(limits.inlineBodyMaxBytes);
  for (const event of attempt.events) {
    expect(encodeEvent(event).length, event.type).toBeLessThan(limits.inlineBodyMaxBytes);
    expect(RunnerEvent.safeParse(event).success, event.type).toBe(true);
  }
  expect(of("tool.finished").map(({ data }) => pairOf(data))).toEqual(
    of("tool.started").map(({ data }) => pairOf(data)),
  );
  const spoken = of("text.delta").map(({ data }) => data.text);
  expect(spoken.join("")).toContain("\u0001".repeat(huge));
});
