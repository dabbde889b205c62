import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, it } from "vitest";
import { AttemptFenced, CancelRequested, DrainRequested } from "../attempt/attempt.ts";
import type { DirectoryWorkspace } from "../testing/directory-workspace.ts";
import { scripted, startModelServerProcess } from "../testing/model-server-process.ts";
import { commandCall, startAttempt } from "../testing/start-attempt.ts";

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

describe("a run that is stopped", () => {
  const sleeping = { build: [{ toolCalls: [commandCall("sleep 60")] }, { text: "ok" }] };

  it("by a cancel in a command: closes it, ends, and only then stores the workspace", async ({
    expect,
  }) => {
    const title = newTitle();
    const { attempt, done, of, when, workspace } = start(scripted(title, sleeping));
    workspace.archive = () => {
      workspace.calls.push(`archive after ${attempt.outcome?.kind}`);
      return Promise.resolve({ key: "k", sizeBytes: 1, fileCount: 1 });
    };
    when("tool.started", () => attempt.stop(new CancelRequested("cancel")));
    await done;
    expect(attempt.outcome).toEqual({ kind: "cancelled" });
    expect(of("tool.finished")).toMatchObject([
      { data: { ok: false, error: { code: "cancelled" } } },
    ]);
    expect(workspace.calls).toEqual(["commit", "storeState", "archive after cancelled", "release"]);
    expect(await prompts(title)).toBe(2);
  });

  it("by a cancel in a model stream: closes the message and lets the model go", async ({
    expect,
  }) => {
    const title = newTitle();
    const scenario = { plan: [{ text: "word ", repeatText: 1_000, tokenDelayMs: 10 }] };
    const { attempt, done, of, when } = start(scripted(title, scenario));
    when("text.delta", () => attempt.stop(new CancelRequested("cancel")));
    await done;
    expect(attempt.outcome).toEqual({ kind: "cancelled" });
    expect(of("text.finished")).toMatchObject([{ data: { interrupted: true } }]);
    await expect.poll(async () => (await server.requests(title))[0]?.completed).toBe(false);
  });

  it("by a cancel while its archive is stored: does not wait for it", async ({ expect }) => {
    const { attempt, done, workspace } = start(scripted(newTitle(), { build: [{ text: "ok" }] }));
    const storing = Promise.withResolvers<void>();
    workspace.storeState = async () => {
      attempt.stop(new CancelRequested("cancel"));
      await storing.promise;
    };
    await expect.poll(() => attempt.outcome, { timeout: 10_000 }).toEqual({ kind: "cancelled" });
    expect(workspace.calls).toEqual(["commit"]);
    storing.resolve();
    await done;
    expect(workspace.calls).toEqual(["commit", "archive", "release"]);
  });

  it("by a drain: hands back, and the next attempt learns of the interruption", async ({
    expect,
  }) => {
    const title = newTitle();
    const first = start(scripted(title, sleeping));
    first.when("tool.started", () => first.attempt.stop(new DrainRequested("drain")));
    await first.done;
    expect(first.attempt.outcome).toEqual({ kind: "released", reason: "drain" });
    expect(first.workspace.calls).toEqual(["release"]);
    const second = start(scripted(title, sleeping), {
      steps: first.attempt.allSteps,
      claimed: { attempt: 2 },
    });
    await second.done;
    expect(second.attempt.outcome).toMatchObject({ kind: "succeeded" });
    expect(second.of("tool.started")).toEqual([]);
    const last = (await server.requests(title)).at(-1);
    expect(last?.messages.at(-1)).toMatchObject({
      role: "tool",
      content: expect.stringContaining("interrupted"),
    });
  });

  it("by a fence: writes nothing more and lets the workspace go untouched", async ({ expect }) => {
    const { attempt, done, of, when, workspace } = start(scripted(newTitle(), sleeping));
    when("tool.started", () => attempt.stop(new AttemptFenced("fenced")));
    await done;
    expect(attempt.outcome).toBeUndefined();
    expect(of("tool.finished")).toEqual([]);
    expect(workspace.calls).toEqual(["release"]);
  });
});

describe("a run whose lease ends", () => {
  it("in a command: goes on in the same attempt once it is back, and tells the model", async ({
    expect,
  }) => {
    const title = newTitle();
    const scenario = {
      build: [{ toolCalls: [commandCall("echo once >> log; sleep 60")] }, { text: "ok" }],
    };
    const { attempt, done, of, when, workspace } = start(scripted(title, scenario));
    when("tool.started", () => {
      setTimeout(() => attempt.loseLease(), 300);
      setTimeout(() => attempt.regainLease(), 800);
    });
    await done;
    expect(attempt.outcome).toMatchObject({ kind: "succeeded" });
    expect(of("tool.finished")).toMatchObject([
      { data: { ok: false, error: { code: "interrupted" } } },
    ]);
    expect(readFileSync(join(workspace.root, "log"), "utf8")).toBe("once\n");
  });

  it("in a model stream: closes the message and asks again once it is back", async ({ expect }) => {
    const scenario = {
      plan: [{ text: "word ", repeatText: 50, tokenDelayMs: 10 }],
      build: [{ text: "ok" }],
    };
    const { attempt, done, of, when } = start(scripted(newTitle(), scenario));
    when("text.delta", () => {
      attempt.loseLease();
      setTimeout(() => attempt.regainLease(), 300);
    });
    await done;
    expect(attempt.outcome).toMatchObject({ kind: "succeeded" });
    expect(of("text.finished").map((event) => event.data.interrupted ?? false)).toEqual([
      true,
      false,
      false,
    ]);
    expect(of("model.retrying")).toEqual([]);
  });
});

describe("a run that is taken up again", () => {
  const lines = [1, 2, 3].map((n) => commandCall(`echo ${n} >> log`));
  const scenario = {
    plan: [{ toolCalls: [{ name: "ls" }] }, { text: "plan" }],
    build: [{ toolCalls: lines }, { text: "ok" }],
  };

  it("does not repeat what is done, does what was never begun, and tells of what was interrupted", async ({
    expect,
  }) => {
    const title = newTitle();
    const first = start(scripted(title, scenario));
    // Killed right after the second call was recorded as started.
    first.when("tool.started", () => first.attempt.stop(new AttemptFenced("killed")), 3);
    await first.done;
    const started = first.of("tool.started").at(-1)?.data.callId ?? "";
    const second = start(scripted(title, scenario), {
      workspace: first.workspace,
      steps: first.attempt.allSteps,
      claimed: { attempt: 2, failures: 1, interruptedCalls: [started] },
    });
    await second.done;
    expect(second.attempt.outcome).toMatchObject({ kind: "succeeded" });
    expect(second.of("tool.started").map((event) => event.data.input)).toEqual([
      { command: "echo 3 >> log" },
    ]);
    expect(second.types().slice(0, 2)).toEqual(["workspace.ready", "tool.started"]);
    const tries = (await server.requests(title)).map(
      (request) => `${request.phase} ${request.index} ${request.tries}`,
    );
    expect(tries).toEqual(["plan 0 1", "plan 1 1", "build 0 1", "build 1 1"]);
    const ids = [...first.of("text.started"), ...second.of("text.started")].map(
      (event) => event.data.messageId,
    );
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("fails in a stated way when it cannot read the checkpoint", async ({ expect }) => {
    const { attempt, done } = start("x", { steps: [{ kind: "from the future" }] });
    await done;
    expect(attempt.outcome).toMatchObject({
      kind: "failed",
      code: "runner_error",
      retryable: false,
    });
  });
});
