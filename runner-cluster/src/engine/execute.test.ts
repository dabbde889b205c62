import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, it } from "vitest";
import type { DirectoryWorkspace } from "../testing/directory-workspace.ts";
import { openDirectoryWorkspace } from "../testing/directory-workspace.ts";
import { makeClaimed } from "../testing/memory-attempt.ts";
import { scripted, startModelServerProcess } from "../testing/model-server-process.ts";
import { ArchiveTooLarge } from "../workspaces/archive-workspace.ts";
import { commandCall, startAttempt, writeCall } from "../testing/start-attempt.ts";

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

let runs = 0;
/** A title that no other run has, so that its requests are found in the server's log. */
const newTitle = (): string => `run ${(runs += 1)}.`;

function start(prompt: string, setup: Partial<Parameters<typeof startAttempt>[1]> = {}) {
  const providers = { OPENAI_API_KEY: apiKey, OPENAI_BASE_URL: server.url };
  const started = startAttempt(prompt, { providers, ...setup });
  open.push(started.workspace);
  return started;
}

const prompts = async (title: string) => (await server.requests(title)).length;

describe("a run", () => {
  it("plans, builds, and puts its work away, in the promised order", async ({ expect }) => {
    const { attempt, workspace, done, types, of } = start(newTitle());
    await done;
    expect(attempt.outcome).toMatchObject({
      kind: "succeeded",
      output: expect.stringContaining("done"),
    });
    const order = attempt.events.flatMap((event) => {
      if (event.type === "run.phase") return [`${event.data.phase} ${event.data.state}`];
      return /^(run|workspace|model)\./.test(event.type) ? [event.type] : [];
    });
    expect(order).toEqual([
      "plan started",
      "workspace.ready",
      "plan completed",
      "run.plan",
      "build transition",
      "build started",
      "build completed",
      "workspace.committed",
      "workspace.archived",
      "model.resolved",
    ]);
    expect(workspace.calls).toEqual(["commit", "storeState", "archive", "release"]);
    expect(of("usage")).toHaveLength(7);
    expect(types().filter((type) => type === "tool.started")).toHaveLength(
      types().filter((type) => type === "tool.finished").length,
    );
    const tests = of("tool.finished").filter((event) => event.data.name === "run_command");
    expect(
      tests.map((event) => event.data.ok && (event.data.output as { exitCode: number }).exitCode),
    ).toEqual([1, 0, 0]);
    expect(existsSync(join(workspace.root, "src/count-words.js"))).toBe(true);
  });

  it("gives the model the conversation, the input, and in the build the plan but not its reading", async ({
    expect,
  }) => {
    const title = newTitle();
    const scenario = {
      plan: [{ toolCalls: [{ name: "ls" }] }, { text: "- step one" }],
      build: [{ text: "ok" }],
    };
    const claimed = makeClaimed(scripted(title, scenario));
    const conversation = [
      { role: "user", content: "earlier" },
      { role: "assistant", content: "answer" },
    ] as const;
    await start("", {
      claimed: { spec: { ...claimed.spec, input: { a: 1 } }, conversation: [...conversation] },
    }).done;
    const requests = await server.requests(title);
    expect(
      requests.map((request) => request.messages.map((message) => message.role).join(" ")),
    ).toEqual([
      "system user assistant user",
      "system user assistant user assistant tool",
      "system user assistant user assistant user",
    ]);
    expect(requests[2]?.messages[3]?.content).toContain('Additional input:\n{\n  "a": 1');
    expect(requests[2]?.messages[4]?.content).toContain("step one");
    expect(requests[0]?.tools).not.toContain("write_file");
  });

  it("answers the model with an error when a tool cannot do what it asks", async ({ expect }) => {
    const toolCalls = [
      { name: "write_file", arguments: "{not json" },
      { name: "read_file", arguments: { path: 7 } },
      { name: "fly", arguments: {} },
      { name: "read_file", arguments: { path: "../../etc/passwd" } },
      commandCall("exit 9"),
    ];
    const scenario = {
      plan: [{ toolCalls: [writeCall("x")] }, { text: "plan" }],
      build: [{ toolCalls }, { text: "ok" }],
    };
    const { attempt, done, of, workspace } = start(scripted(newTitle(), scenario));
    await done;
    expect(attempt.outcome).toEqual({ kind: "succeeded", output: "ok" });
    expect(
      of("tool.finished").map((event) => (event.data.ok ? "ok" : event.data.error.code)),
    ).toEqual([
      "unknown_tool",
      "invalid_arguments",
      "invalid_arguments",
      "unknown_tool",
      "outside_workspace",
      "ok",
    ]);
    expect(existsSync(join(workspace.root, "x"))).toBe(false);
  });

  it("closes a message that was cut off and asks again", async ({ expect }) => {
    const fault = { kind: "cut", afterChunks: 3, times: 1 };
    const scenario = { plan: [{ text: "one two three four", fault }], build: [{ text: "ok" }] };
    const { attempt, done, of } = start(scripted(newTitle(), scenario));
    await done;
    expect(attempt.outcome).toMatchObject({ kind: "succeeded" });
    expect(of("text.finished").map((event) => event.data.interrupted ?? false)).toEqual([
      true,
      false,
      false,
    ]);
    expect(of("text.started")).toHaveLength(3);
    expect(of("model.retrying")).toMatchObject([{ data: { retry: 1 } }]);
  });

  it("keeps secrets out of events and steps", async ({ expect }) => {
    const half = Math.ceil(apiKey.length / 2);
    const line = `printf '%s%s' ${apiKey.slice(0, half)} ${apiKey.slice(half)}`;
    const scenario = {
      build: [{ text: `the key is ${apiKey} !`, toolCalls: [commandCall(line)] }, { text: "ok" }],
    };
    const { attempt, done, of } = start(scripted(newTitle(), scenario));
    await done;
    expect(attempt.outcome).toMatchObject({ kind: "succeeded" });
    const shown = of("text.delta").map((event) => event.data.text);
    expect(JSON.stringify([attempt.events, attempt.newSteps])).not.toContain(apiKey);
    expect(shown.join("")).toContain("the key is [redacted] !");
  });
});

describe("a run that fails", () => {
  it("says which variable to set when there is no key", async ({ expect }) => {
    const { attempt, done, workspace } = start("x", { providers: {} });
    await done;
    expect(attempt.outcome).toMatchObject({
      kind: "failed",
      code: "provider_rejected",
      retryable: false,
      error: expect.stringContaining("OPENAI_API_KEY"),
    });
    expect(workspace.calls).toEqual(["commit", "storeState", "archive", "release"]);
  });

  it("ends at once when the provider rejects it, with its work stored and the model named", async ({
    expect,
  }) => {
    const fault = { kind: "status", status: 400, message: "no such thing" };
    const { attempt, done, types, workspace } = start(
      scripted(newTitle(), { build: [{ toolCalls: [writeCall("a.txt")] }, { fault }] }),
    );
    await done;
    expect(attempt.outcome).toEqual({
      kind: "failed",
      code: "provider_rejected",
      error: "openai answered 400: no such thing",
      retryable: false,
    });
    expect(types().slice(-3)).toEqual([
      "workspace.committed",
      "workspace.archived",
      "model.resolved",
    ]);
    expect(workspace.calls.at(-1)).toBe("release");
  });

  it("holds no key in its message", async ({ expect }) => {
    const providers = { OPENAI_API_KEY: "wrong-key-0815", OPENAI_BASE_URL: server.url };
    const { attempt, done, lines } = start("x", { providers });
    await done;
    expect(attempt.outcome).toMatchObject({
      code: "provider_rejected",
      error: expect.stringContaining("openai answered 401"),
    });
    expect(JSON.stringify([attempt.outcome, attempt.events, lines])).not.toContain("0815");
  });

  it("leaves the workspace to the next attempt when it may be tried again", async ({ expect }) => {
    const fault = { kind: "silence", afterChunks: 1 };
    const scenario = { plan: [{ text: "a b c", fault }] };
    const setup = { env: { MODEL_SILENCE_MS: "200" } };
    const first = start(scripted(newTitle(), scenario), setup);
    await first.done;
    expect(first.attempt.outcome).toMatchObject({ code: "model_silent", retryable: true });
    expect(first.workspace.calls).toEqual(["release"]);
    const last = start(scripted(newTitle(), scenario), { ...setup, claimed: { failures: 2 } });
    await last.done;
    expect(last.workspace.calls).toEqual(["commit", "storeState", "archive", "release"]);
  });

  it("stops at the bound on steps", async ({ expect }) => {
    const scenario = { build: [{ toolCalls: [{ name: "ls" }], repeat: 50 }] };
    const { attempt, done, of } = start(scripted(newTitle(), scenario), {
      env: { PHASE_STEP_LIMIT: "5" },
    });
    await done;
    expect(attempt.outcome).toMatchObject({ kind: "failed", code: "step_limit", retryable: false });
    expect(of("tool.started")).toHaveLength(5);
  });

  it("stops when its time is over, in the middle of a command, and closes it", async ({
    expect,
  }) => {
    const scenario = { build: [{ toolCalls: [commandCall("sleep 60")] }] };
    const { attempt, done, of } = start(scripted(newTitle(), scenario), {
      env: { RUN_TIMEOUT_MS: "61500" },
      claimed: { elapsedMs: 60_000 },
    });
    await done;
    expect(attempt.outcome).toMatchObject({
      kind: "failed",
      code: "run_timeout",
      retryable: false,
    });
    expect(of("tool.finished")).toMatchObject([
      { data: { ok: false, error: { code: "interrupted" } } },
    ]);
  });

  it("does not fail over an archive that is too large: its work is committed", async ({
    expect,
  }) => {
    const workspace = openDirectoryWorkspace();
    workspace.archive = () => Promise.reject(new ArchiveTooLarge("too many files"));
    const { attempt, done, of } = start(scripted(newTitle(), { build: [{ text: "ok" }] }), {
      workspace,
    });
    await done;
    expect(attempt.outcome).toEqual({ kind: "succeeded", output: "ok" });
    expect(of("workspace.archived")).toMatchObject([{ data: { outcome: "failed" } }]);
  });

  it("fails, to be tried again, when its archive cannot be stored; a second attempt only stores it", async ({
    expect,
  }) => {
    const title = newTitle();
    const workspace = openDirectoryWorkspace();
    const archive = workspace.archive.bind(workspace);
    workspace.archive = () => Promise.reject(new Error("no network"));
    const prompt = scripted(title, { build: [{ text: "ok" }] });
    const first = start(prompt, { workspace });
    await first.done;
    expect(first.attempt.outcome).toMatchObject({ code: "archive_failed", retryable: true });
    workspace.archive = archive;
    const second = start(prompt, {
      workspace,
      steps: first.attempt.allSteps,
      claimed: { attempt: 2, failures: 1 },
    });
    await second.done;
    expect(second.attempt.outcome).toEqual({ kind: "succeeded", output: "ok" });
    expect(second.types()).toEqual(["workspace.ready", "workspace.archived", "model.resolved"]);
    expect(await prompts(title)).toBe(2);
  });
});
