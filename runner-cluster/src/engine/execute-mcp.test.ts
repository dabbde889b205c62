import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { AttemptFenced, CancelRequested } from "../attempt/attempt.ts";
import type { McpServer } from "../mcp/mcp-server.ts";
import type { DirectoryWorkspace } from "../testing/directory-workspace.ts";
import { McpHost, says, type HostedTool, type HostOptions } from "../testing/mcp-host.ts";
import { scripted, startModelServerProcess } from "../testing/model-server-process.ts";
import { startAttempt } from "../testing/start-attempt.ts";
import { toolBounds } from "../tools/tool-bounds.ts";

const apiKey = "test-model-key-4711";
const secret = "mcp-token-of-the-session-4711";
let model: Awaited<ReturnType<typeof startModelServerProcess>>;
beforeAll(async () => {
  model = await startModelServerProcess(["--api-key", apiKey]);
});
afterAll(() => model.stop());

const open: DirectoryWorkspace[] = [];
const hosts: McpHost[] = [];
afterEach(async () => {
  for (const workspace of open.splice(0)) workspace.remove();
  await Promise.all(hosts.splice(0).map((host) => host.stop()));
});

async function hostOf(options: HostOptions): Promise<McpHost> {
  const host = await McpHost.start(options);
  hosts.push(host);
  return host;
}

const look: HostedTool = {
  name: "look",
  description: "Looks something up.",
  annotations: { readOnlyHint: true },
  inputSchema: { type: "object", properties: { word: { type: "string" } } },
  answer: ({ word }) => says(`About ${String(word)}.`),
};
const note: HostedTool = { name: "note", answer: () => says("Noted.") };
const untilCancelled: HostedTool = {
  name: "wait",
  answer: (_, signal) =>
    new Promise((resolve) => signal.addEventListener("abort", () => resolve(says("late")))),
};

async function onceCalled(host: McpHost, times: number, act: () => void): Promise<void> {
  await expect.poll(() => host.calls.length, { timeout: 20_000 }).toBe(times);
  act();
}

let runs = 0;
/** One attempt whose model calls these tools, one after another, when it builds. */
function start(
  names: readonly string[],
  servers: readonly McpServer[],
  setup: Partial<Parameters<typeof startAttempt>[1]> & { readonly title?: string } = {},
) {
  const { title = `mcp ${(runs += 1)}.`, ...more } = setup;
  const toolCalls = names.map((name) => ({ name, arguments: { word: "bees" } }));
  const prompt = scripted(title, { build: [{ toolCalls }, { text: "ok" }] });
  const started = startAttempt(prompt, {
    providers: { OPENAI_API_KEY: apiKey, OPENAI_BASE_URL: model.url },
    secrets: [secret],
    mcpServers: servers,
    ...more,
  });
  open.push(started.workspace);
  return { ...started, title };
}

describe.each(["sessions", "modern"] as const)("an MCP server (%s)", (protocol) => {
  it("has its tools beside ours, those that only read while planning too", async () => {
    const host = await hostOf({
      protocol,
      tools: [look, note],
      perPage: 1,
      instructions: "Ask about animals.",
    });
    const { attempt, done, of, title } = start(["docs__look", "docs__note"], [host.server()]);
    await done;
    expect(attempt.outcome).toMatchObject({ kind: "succeeded" });
    expect(of("mcp.server").map(({ data }) => data)).toEqual([
      { state: "connected", server: "docs", url: host.url, tools: 2 },
    ]);
    const [plan, build, after] = await model.requests(title);
    expect(plan?.tools).toContain("docs__look");
    expect(plan?.tools).not.toContain("docs__note");
    expect(build?.tools).toEqual(expect.arrayContaining(["ls", "docs__look", "docs__note"]));
    expect(String(plan?.messages[0]?.content)).toContain("Ask about animals.");
    expect(after?.messages.slice(-2)).toMatchObject([
      { role: "tool", content: "About bees." },
      { role: "tool", content: "Noted." },
    ]);
    expect(of("tool.finished")[0]?.data).toMatchObject({
      ok: true,
      output: { text: "About bees." },
    });
    expect(host.calls).toEqual([
      { name: "look", args: { word: "bees" } },
      { name: "note", args: { word: "bees" } },
    ]);
    const log = protocol === "modern" ? [] : ["begun", "ended"];
    await expect.poll(() => host.log, { timeout: 20_000 }).toEqual(log);
  });

  it("hears that a call is cancelled", async () => {
    const host = await hostOf({ protocol, tools: [untilCancelled] });
    const { attempt, done, of, when } = start(["docs__wait"], [host.server()]);
    when("tool.started", () => {
      void onceCalled(host, 1, () => attempt.stop(new CancelRequested("cancel")));
    });
    await done;
    expect(attempt.outcome).toEqual({ kind: "cancelled" });
    expect(of("tool.finished")).toMatchObject([{ data: { error: { code: "cancelled" } } }]);
    await expect.poll(() => host.cancelled, { timeout: 20_000 }).toEqual(["wait"]);
  });
});

describe("what a tool answers", () => {
  const png = Buffer.from("not a picture").toString("base64");
  const answers: Readonly<Record<string, readonly [HostedTool["answer"], string]>> = {
    "an error": [() => ({ ...says("No bees here."), isError: true }), "Error: No bees here."],
    "a refusal": [
      () => {
        throw new Error("no such word");
      },
      "Error: no such word",
    ],
    "a value alone": [() => ({ content: [], structuredContent: { legs: 6 } }), '{"legs":6}'],
    "a picture": [
      () => ({ content: [{ type: "image", mimeType: "image/png", data: png }] }),
      "[image, image/png, 13 bytes: not shown]",
    ],
    nothing: [() => ({ content: [] }), "(The tool answered nothing.)"],
  };

  it.each(Object.entries(answers))("is shown: %s", async (_, [answer, shown]) => {
    const host = await hostOf({ tools: [{ name: "t", answer }] });
    const { done, title } = start(["docs__t"], [host.server()]);
    await done;
    const last = (await model.requests(title)).at(-1);
    expect(last?.messages.at(-1)).toMatchObject({ role: "tool", content: shown });
  });

  it("is cut where it is long, and refused where it is endless", async () => {
    const tools = [
      { name: "long", answer: () => says("x".repeat(300_000)) },
      { name: "endless", answer: () => says("x".repeat(17 * 1024 * 1024)) },
    ];
    const host = await hostOf({ tools });
    const { done, of, attempt } = start(["docs__long", "docs__endless"], [host.server()]);
    await done;
    expect(attempt.outcome).toMatchObject({ kind: "succeeded" });
    const [long, endless] = of("tool.finished").map(({ data }) => data);
    const kept = toolBounds.outputChars;
    const text = `${"x".repeat(kept)}\n[cut: ${300_000 - kept} more characters]`;
    expect(long).toMatchObject({ ok: true, output: { text } });
    const error = { code: "server_failed", message: expect.stringContaining("16777216 bytes") };
    expect(endless).toMatchObject({ ok: false, error });
  });

  it("is waited for as long as the session says, and the server hears of it", async () => {
    const host = await hostOf({ tools: [untilCancelled] });
    const { done, of } = start(["docs__wait"], [host.server({ timeoutMs: 2_000 })]);
    await done;
    expect(of("tool.finished")).toMatchObject([
      { data: { ok: false, error: { code: "server_failed", message: /timed out/i } } },
    ]);
    await expect.poll(() => host.cancelled, { timeout: 20_000 }).toEqual(["wait"]);
  });
});

describe("a session at the server", () => {
  it("that it has forgotten is opened anew, and the call made once", async () => {
    const host = await hostOf({ tools: [note] });
    const { done, of, when } = start(["docs__note", "docs__note"], [host.server()]);
    when("tool.finished", () => host.forget());
    await done;
    expect(of("tool.finished").map(({ data }) => data.ok)).toEqual([true, true]);
    expect(host.calls).toHaveLength(2);
    expect(host.log.filter((line) => line === "begun")).toHaveLength(2);
  });
});

describe("a server that cannot be used", () => {
  it("ends the attempt, which is tried again, and says which it is", async () => {
    const host = await McpHost.start({ tools: [look] });
    const gone = host.server();
    await host.stop();
    const { attempt, done, of } = start([], [gone]);
    await done;
    expect(attempt.outcome).toMatchObject({
      kind: "failed",
      code: "mcp_server_failed",
      error: expect.stringMatching(/^The MCP server docs .*ECONNREFUSED.*mcpServers\.docs\.url/),
      retryable: true,
    });
    expect(of("mcp.server")).toMatchObject([{ data: { state: "failed", server: "docs" } }]);
  });

  it("does not hold up a cancel when it says nothing", async () => {
    const silent = createServer(() => attempt.stop(new CancelRequested("cancel")));
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    onTestFinished(() => {
      silent.closeAllConnections();
      silent.close();
    });
    const host = await hostOf({ tools: [look] });
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const servers = [host.server(), host.server({ name: "silent", url })];
    const { attempt, done, of } = start([], servers);
    await done;
    expect(attempt.outcome).toEqual({ kind: "cancelled" });
    expect(of("mcp.server").filter(({ data }) => data.state === "failed")).toEqual([]);
    const times = (word: string) => host.log.filter((line) => line === word).length;
    await expect.poll(() => times("begun") - times("ended"), { timeout: 20_000 }).toBe(0);
  });

  it("is left out where it is optional, and the model knows", async () => {
    const host = await McpHost.start({ tools: [look] });
    const gone = host.server({ optional: true });
    await host.stop();
    const { attempt, done, of, title } = start(["docs__look"], [gone]);
    await done;
    expect(attempt.outcome).toMatchObject({ kind: "succeeded" });
    expect(of("tool.finished")).toMatchObject([{ data: { error: { code: "unknown_tool" } } }]);
    const [plan] = await model.requests(title);
    expect(String(plan?.messages[0]?.content)).toContain("The MCP server docs is not there now");
  });

  it.each([
    [
      "credentials that it does not know",
      { headers: { Authorization: `Bearer ${secret}` } },
      "401",
    ],
    ["a tool that it has not", { tools: ["none"] }, "it has no tool none"],
  ])("is final for %s", async (_, changes, words) => {
    const host = await hostOf({ tools: [look], authorization: "Bearer another" });
    const headers = { Authorization: "Bearer another" };
    const { attempt, done, lines } = start([], [host.server({ headers, ...changes })]);
    await done;
    expect(attempt.outcome).toMatchObject({
      kind: "failed",
      code: "mcp_server_failed",
      error: expect.stringContaining(words),
      retryable: false,
    });
    expect(JSON.stringify([attempt.events, attempt.outcome, lines])).not.toContain(secret);
  });

  it("is one with more tools than a model can be given", async () => {
    const tools = Array.from({ length: 101 }, (_, at) => ({ ...note, name: `t${at}` }));
    const host = await hostOf({ tools });
    const { attempt, done } = start([], [host.server()]);
    await done;
    expect(attempt.outcome).toMatchObject({ error: /101 tools.*mcpServers\.<name>\.tools/ });
    const few = start(["docs__t7"], [host.server({ tools: ["t7"] })]);
    await few.done;
    expect(few.attempt.outcome).toMatchObject({ kind: "succeeded" });
  });
});

it("never shows a credential, even where the server tells it", async () => {
  const tell: HostedTool = { name: "tell", answer: () => says(`You are ${secret}.`) };
  const host = await hostOf({ tools: [tell], authorization: `Bearer ${secret}` });
  const { attempt, done, lines, title } = start(["docs__tell"], [host.server()]);
  await done;
  expect(attempt.outcome).toMatchObject({ kind: "succeeded" });
  expect(host.calls).toHaveLength(1);
  const asked = await model.requests(title);
  const seen = [attempt.events, attempt.allSteps, lines, asked.map(({ messages }) => messages)];
  expect(JSON.stringify(seen)).not.toContain(secret);
  expect(JSON.stringify(attempt.events)).toContain("You are [redacted].");
});

describe("a run that is taken up again", () => {
  it("repeats no call that is done, nor one that was under way", async () => {
    const again: HostedTool = { name: "again", answer: () => says("Done again.") };
    const host = await hostOf({ tools: [note, untilCancelled, again] });
    const names = ["docs__note", "docs__wait", "docs__again"];
    const first = start(names, [host.server()]);
    // Killed while the server works on the second call, which is on record as started.
    first.when(
      "tool.started",
      () => {
        void onceCalled(host, 2, () => first.attempt.stop(new AttemptFenced("killed")));
      },
      2,
    );
    await first.done;
    const started = first.of("tool.started").at(-1)?.data.callId ?? "";
    const second = start(names, [host.server()], {
      title: first.title,
      workspace: first.workspace,
      steps: first.attempt.allSteps,
      claimed: { attempt: 2, failures: 1, interruptedCalls: [started] },
    });
    await second.done;
    expect(second.attempt.outcome).toMatchObject({ kind: "succeeded" });
    expect(host.calls.map(({ name }) => name)).toEqual(["note", "wait", "again"]);
    const last = (await model.requests(first.title)).at(-1);
    expect(last?.messages.slice(-3)).toMatchObject([
      { content: "Noted." },
      { content: expect.stringContaining("interrupted") },
      { content: "Done again." },
    ]);
  });
});
