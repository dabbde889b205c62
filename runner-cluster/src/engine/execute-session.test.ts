import { afterAll, afterEach, beforeAll, describe, it } from "vitest";
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

function start(prompt: string, setup: Partial<Parameters<typeof startAttempt>[1]> = {}) {
  const providers = { OPENAI_API_KEY: apiKey, OPENAI_BASE_URL: server.url };
  const started = startAttempt(prompt, { providers, ...setup });
  open.push(started.workspace);
  return started;
}

describe("a secret of the session", () => {
  it("shows in no event, step or request, also when output brings it in pieces", async ({
    expect,
  }) => {
    const secret = "of-the-session-4711";
    const title = "a secret";
    const command = `printf 'a of-the-ses'; sleep 0.3; printf 'sion-%s b' 4711; printf '%s' '${secret}' >&2`;
    const prompt = scripted(title, {
      plan: [{ text: "{}" }],
      build: [{ toolCalls: [commandCall(command)] }, { text: `It is ${secret}.` }],
    });
    const { attempt, done, of, lines } = start(prompt, { secrets: [secret] });
    await done;
    expect(attempt.outcome).toMatchObject({ kind: "succeeded", output: "It is [redacted]." });
    const said = of("tool.output").map(({ data }) => data.chunk);
    expect(said.join("")).toContain("a [redacted] b");
    const [, , after] = await server.requests(title);
    const seen = [attempt.events, attempt.newSteps, after?.messages.slice(2), lines];
    expect(JSON.stringify(seen)).not.toContain("session-4711");
  });
});

describe("temperature and bound of answers", () => {
  it("are in every request when the runner is told them", async ({ expect }) => {
    const title = "told";
    const providers = {
      OPENAI_API_KEY: apiKey,
      OPENAI_BASE_URL: server.url,
      AGENT_TEMPERATURE: "0.25",
      AGENT_MAX_TOKENS: "1234",
    };
    await start(title, { providers }).done;
    await start("nobody says").done;
    const asked = await server.requests(title);
    expect(asked.length).toBeGreaterThan(1);
    for (const { sampling } of asked) {
      expect(sampling).toEqual({ temperature: 0.25, max_completion_tokens: 1234 });
    }
    const others = await server.requests("nobody says");
    expect(others.map(({ sampling }) => sampling)).toEqual(asked.map(() => ({})));
  });
});
