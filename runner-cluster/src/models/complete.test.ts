import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, it } from "vitest";
import { scripted, startModelServerProcess } from "../testing/model-server-process.ts";
import { complete, type CompletionRequest } from "./complete.ts";
import { ModelCallFailed } from "./model-failure.ts";

const apiKey = "test-model-key";
let server: Awaited<ReturnType<typeof startModelServerProcess>>;
beforeAll(async () => {
  server = await startModelServerProcess(["--api-key", apiKey]);
});
afterAll(() => server.stop());

function ask(title: string, turn: unknown, changes: Partial<CompletionRequest> = {}) {
  const text: string[] = [];
  const reasoning: string[] = [];
  const request: CompletionRequest = {
    model: {
      provider: "openai",
      model: "test-model",
      source: "default",
      baseUrl: server.url,
      apiKey,
      headers: {},
      body: {},
      asksForUsage: true,
    },
    messages: [{ role: "user", content: scripted(title, { plan: [turn] }) }],
    tools: [],
    signal: new AbortController().signal,
    silenceMs: 20_000,
    fetch,
    onText: (piece) => text.push(piece),
    onReasoning: (piece) => reasoning.push(piece),
    room: () => Promise.resolve(),
    ...changes,
  };
  return { answer: complete(request), text, reasoning, request };
}

const failureOf = async (answer: Promise<unknown>) => {
  const error = await answer.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return error instanceof ModelCallFailed ? error.failure : error;
};

describe("a completion", () => {
  it("streams text and reasoning, and answers the usage that was reported", async ({ expect }) => {
    const usage = { prompt: 50, completion: 7, cached: 30, reasoning: 3 };
    const turn = { reasoning: "let me see", text: "Hello there, world", usage };
    const { answer, text, reasoning } = ask("text", turn);
    expect(await answer).toEqual({
      text: "Hello there, world",
      toolCalls: [],
      finishReason: "stop",
      usage: {
        inputTokens: 50,
        outputTokens: 7,
        totalTokens: 57,
        cachedInputTokens: 30,
        reasoningOutputTokens: 3,
      },
    });
    expect(text).toEqual(["Hello", " there,", " world"]);
    expect(reasoning.join("")).toBe("let me see");
  });

  it("says null for usage that was not reported", async ({ expect }) => {
    const { usage } = await ask("no usage", { text: "x", usage: null }).answer;
    expect(Object.values(usage)).toEqual([null, null, null, null, null]);
  });

  it("puts tool calls together from their fragments", async ({ expect }) => {
    const long = { path: "a.txt", content: "x".repeat(500) };
    const toolCalls = [
      { name: "write_file", arguments: long },
      { name: "ls", id: "call_mine" },
    ];
    const { toolCalls: made } = await ask("calls", { toolCalls }).answer;
    expect(made.map((call) => call.name)).toEqual(["write_file", "ls"]);
    expect(JSON.parse(made[0]?.arguments ?? "")).toEqual(long);
    expect(made[1]).toMatchObject({ id: "call_mine", arguments: "{}" });
  });

  it("fails with the provider's status, message and Retry-After", async ({ expect }) => {
    const fault = { kind: "status", status: 429, message: "slow down", retryAfter: "7" };
    expect(await failureOf(ask("status", { fault }).answer)).toEqual({
      kind: "refused",
      status: 429,
      message: "slow down",
      retryAfterMs: 7_000,
    });
  });

  it("fails on a key that is not accepted", async ({ expect }) => {
    const { request } = ask("unused", { text: "x" });
    const model = { ...request.model, apiKey: "another key" };
    const failure = await failureOf(ask("key", { text: "x" }, { model }).answer);
    expect(failure).toMatchObject({ kind: "refused", status: 401 });
  });

  it.for(["cut", "truncate"])("notices a stream that ends early: %s", async (kind, { expect }) => {
    const fault = { kind, afterChunks: 3 };
    const { answer, text } = ask(kind, { text: "one two three four", fault });
    expect(await failureOf(answer)).toMatchObject({ kind: "cut" });
    expect(text.length).toBeGreaterThan(0);
  });

  it("notices a server that is not there", async ({ expect }) => {
    const { request } = ask("unused", { text: "x" });
    const model = { ...request.model, baseUrl: "http://127.0.0.1:1/v1" };
    const failure = await failureOf(ask("network", { text: "x" }, { model }).answer);
    expect(failure).toMatchObject({ kind: "network" });
    expect(JSON.stringify(failure)).toMatch(/refused|bad port/i);
  });

  it("gives up on a model that says nothing", async ({ expect }) => {
    const fault = { kind: "silence", afterChunks: 2 };
    const { answer } = ask("silence", { text: "one two three", fault }, { silenceMs: 200 });
    expect(await failureOf(answer)).toEqual({ kind: "silent", afterMs: 200 });
  });

  it("does not take a reader that holds it back for a silent model", async ({ expect }) => {
    const { answer } = ask(
      "held back",
      { text: "one" },
      {
        silenceMs: 250,
        room: () => sleep(400),
      },
    );
    expect((await answer).text).toBe("one");
  });

  it("stops with the signal's reason, and lets the connection go", async ({ expect }) => {
    const controller = new AbortController();
    const reason = new Error("stop it");
    const turn = { text: "word ", repeatText: 500, tokenDelayMs: 20 };
    const { answer } = ask("abort", turn, {
      signal: controller.signal,
      onText: () => controller.abort(reason),
    });
    await expect(answer).rejects.toBe(reason);
    await expect
      .poll(async () => (await server.requests("abort")).at(-1), { timeout: 5_000 })
      .toMatchObject({ completed: false, endedAt: expect.any(Number) });
  });
});
