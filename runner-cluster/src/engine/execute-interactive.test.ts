import type { RunInput } from "@millrace/contracts";
import { afterAll, afterEach, beforeAll, describe, it } from "vitest";
import type { DirectoryWorkspace } from "../testing/directory-workspace.ts";
import { makeClaimed } from "../testing/memory-attempt.ts";
import { scripted, startModelServerProcess } from "../testing/model-server-process.ts";
import { startAttempt, writeCall } from "../testing/start-attempt.ts";

const apiKey = "test-model-key-4711";
let server: Awaited<ReturnType<typeof startModelServerProcess>>;
beforeAll(async () => {
  server = await startModelServerProcess(["--api-key", apiKey]);
});
afterAll(() => server.stop());

const open: DirectoryWorkspace[] = [];
afterEach(() => {
  for (const workspace of open.splice(0)) workspace.remove();
});

interface Given {
  readonly steps?: readonly unknown[];
  readonly inputs?: RunInput[];
  readonly turns?: { readonly interactive?: boolean; readonly keepOpen?: boolean };
}

/** One attempt of a run, from the steps of the ones before. */
async function attempt(prompt: string, { steps = [], inputs = [], turns }: Given) {
  const spec = { ...makeClaimed(prompt).spec, ...turns };
  const providers = { OPENAI_API_KEY: apiKey, OPENAI_BASE_URL: server.url };
  const started = startAttempt(prompt, { providers, steps, claimed: { spec, inputs } });
  open.push(started.workspace);
  await started.done;
  return started;
}

const ask = { name: "ask_user", arguments: { question: "Which one?" } };
const asking = { build: [{ toolCalls: [ask] }, { text: "Took it." }] };

describe("a model that asks", () => {
  const turns = { interactive: true };

  it("gives the run back, and gets the answer as the call's result", async ({ expect }) => {
    const prompt = scripted("asks.", asking);
    const first = await attempt(prompt, { turns });
    expect(first.attempt.outcome).toEqual({ kind: "awaiting", question: "Which one?", heard: 0 });
    // A call that is open when the attempt ends would count as interrupted.
    expect(first.of("tool.started")).toEqual([]);
    expect(first.workspace.calls).toEqual(["release"]);
    const steps = first.attempt.allSteps;
    const second = await attempt(prompt, { turns, steps, inputs: [{ n: 1, content: "This." }] });
    expect(second.attempt.outcome).toMatchObject({ kind: "succeeded", output: "Took it." });
    expect(second.of("tool.finished")).toMatchObject([
      { data: { name: "ask_user", ok: true, output: { answer: "This." } } },
    ]);
    const last = (await server.requests("asks.")).at(-1);
    expect(last?.messages.at(-1)).toMatchObject({ role: "tool", content: "This." });
  });

  it("does not take one answer for two questions, whatever attempt it is", async ({ expect }) => {
    const prompt = scripted("asks twice.", { build: [{ toolCalls: [ask, ask] }, { text: "Ok." }] });
    const first = await attempt(prompt, { turns });
    const inputs = [{ n: 1, content: "This." }];
    const second = await attempt(prompt, { turns, steps: first.attempt.allSteps, inputs });
    expect(second.attempt.outcome).toMatchObject({ kind: "awaiting", heard: 1 });
    // An attempt that died before it gave the run back: the next is given the same input.
    const third = await attempt(prompt, { turns, steps: second.attempt.allSteps, inputs });
    expect(third.attempt.outcome).toMatchObject({ kind: "awaiting", heard: 1 });
    expect(third.of("tool.finished")).toEqual([]);
  });

  it("hears that there is no answer when its user wants it to finish", async ({ expect }) => {
    const inputs = [{ n: 1, content: null }];
    const { attempt: ended, of } = await attempt(scripted("ends.", asking), { turns, inputs });
    expect(ended.outcome).toMatchObject({ kind: "succeeded" });
    expect(of("tool.finished")).toMatchObject([{ data: { ok: true, output: { answer: null } } }]);
  });

  it("cannot where nobody answers", async ({ expect }) => {
    const { attempt: ended, of } = await attempt(scripted("alone.", asking), {});
    expect(ended.outcome).toMatchObject({ kind: "succeeded" });
    expect(of("tool.finished")).toMatchObject([
      { data: { ok: false, error: { code: "unknown_tool" } } },
    ]);
    expect((await server.requests("alone.")).at(-1)?.tools).not.toContain("ask_user");
  });
});

describe("a run that is kept open", () => {
  const turns = { keepOpen: true };

  it("takes turn after turn, and puts its files away once, at the end", async ({ expect }) => {
    const title = "turns.";
    const prompt = scripted(title, { build: [{ toolCalls: [writeCall("a")] }, { text: "One." }] });
    const first = await attempt(prompt, { turns });
    expect(first.attempt.outcome).toEqual({ kind: "awaiting", question: null, heard: 0 });
    expect(first.workspace.calls).not.toContain("commit");
    const more = scripted(`${title} more`, { build: [{ text: "Two." }] });
    const inputs = [
      { n: 1, content: more },
      { n: 2, content: null },
    ];
    const second = await attempt(prompt, { turns, steps: first.attempt.allSteps, inputs });
    expect(second.attempt.outcome).toMatchObject({ kind: "succeeded", output: "Two." });
    expect(second.workspace.calls).toEqual(expect.arrayContaining(["commit", "archive"]));
    const last = (await server.requests(title)).at(-1);
    expect(last?.messages.slice(-2)).toMatchObject([
      { role: "assistant", content: "One." },
      { role: "user", content: more },
    ]);
  });
});
