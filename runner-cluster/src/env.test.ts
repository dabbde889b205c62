import { describe, expect, it } from "vitest";
import { describeEnv, readEnv, secretValues } from "./env.ts";
import { variablesOf } from "./models/provider-env.ts";
import { providers } from "./models/providers.ts";

const read = (raw: Record<string, string>) => readEnv({ POOL_TOKEN: "pool-secret", ...raw });

const session = {
  MILLRACE_ORG_ID: "org",
  MILLRACE_RUN_ID: "0195d3a0-0000-7000-8000-000000000001",
  MILLRACE_ATTEMPT: "2",
  MILLRACE_RUN_TOKEN_FILE: "/run/millrace/session/token",
};

describe("readEnv", () => {
  it("has a default for everything but the pool token", () => {
    const result = read({});
    expect(result.ok && result.env).toMatchObject({
      POOL: "default",
      RUNNER_SLOTS: 4,
      AUTO_GIT_COMMIT: true,
      COMMAND_TIMEOUT_MS: 600_000,
      RUNNER_ISOLATION: "auto",
    });
    expect(readEnv({})).toMatchObject({ ok: false });
  });

  it("takes an empty value for one that is not set", () => {
    const result = read({ RUNNER_SLOTS: "", AUTO_GIT_COMMIT: " " });
    expect(result.ok && result.env).toMatchObject({ RUNNER_SLOTS: 4, AUTO_GIT_COMMIT: true });
  });

  it.each([
    ["POOL_TOKEN", "brücke ☂"],
    ["RUNNER_SLOTS", "0"],
    ["RUNNER_SLOTS", "many"],
    ["EDGE_URL", "ftp://edge"],
    ["AUTO_GIT_COMMIT", "perhaps"],
    ["RUNNER_ISOLATION", "some"],
    ["DRAIN_DEADLINE_MS", "-1"],
    ["RUN_TIMEOUT_MS", "3000000000"],
    ["AGENT_PROVIDER", "nobody"],
  ])("refuses %s=%s by name", (name, value) => {
    const result = read({ [name]: value });
    expect(result.ok ? "" : result.problem).toContain(name);
  });

  it.each([
    ["/w", "/w/state", false],
    ["/w", "/w", false],
    ["/w", "/w-state", true],
    ["/w/projects", "/w", true],
    ["/w", "/..state", true],
    ["/w", "/w/..state", false],
  ])("root %s with state %s: %s", (root, state, ok) => {
    expect(read({ WORKSPACE_ROOT: root, STATE_DIR: state }).ok).toBe(ok);
  });

  it("keeps the workspaces of a second state beside it", () => {
    const result = read({ STATE_DIR: "/s/" });
    expect(result.ok && result.env.WORKSPACE_ROOT).toBe("/s-workspaces");
  });

  it.each([
    [{ POOL_TOKEN: "", POOL_TOKEN_FILE: "/run/token" }, "pool"],
    [{ RUNNER_MODE: "warm", POD_NAME: "warm-1" }, "warm"],
    [{ RUNNER_MODE: "session", ...session }, "session"],
  ])("is told what it is for by %j: %s", (raw, kind) => {
    const result = read(raw);
    expect(result.ok && result.env.start.kind).toBe(kind);
  });

  it.each([
    [{ POOL_TOKEN: "" }, "POOL_TOKEN"],
    [{ RUNNER_MODE: "cold" }, "RUNNER_MODE"],
    [{ RUNNER_MODE: "session", ...session, MILLRACE_ATTEMPT: "none" }, "MILLRACE_ATTEMPT"],
    [{ RUNNER_MODE: "session", ...session, MILLRACE_RUN_ID: "" }, "MILLRACE_RUN_ID"],
    [{ RUNNER_MODE: "session", ...session, MILLRACE_WORKFLOW: "{" }, "MILLRACE_WORKFLOW"],
    [{ RUNNER_MODE: "session", ...session, MILLRACE_COMMAND_ENV_FILE: "/no/env" }, "/no/env"],
    [{ RUNNER_MODE: "session", ...session, MILLRACE_MCP_FILE: "/no/mcp" }, "/no/mcp"],
  ])("says what is wrong with %j: %s", (raw, name) => {
    const result = read(raw);
    expect(!result.ok && result.problem).toContain(name);
  });

  it("knows how a session's run is to be worked on", () => {
    const workflow = { gitUrl: "https://git.example.com/flows", branch: "main", path: "fix" };
    const result = read({
      RUNNER_MODE: "session",
      ...session,
      MILLRACE_WORKFLOW: JSON.stringify(workflow),
    });
    expect(result.ok && result.env.start).toMatchObject({ kind: "session", workflow });
  });

  it("knows its secrets", () => {
    const result = read({ OPENAI_API_KEY: "sk-one" });
    expect(result.ok && secretValues(result.env)).toEqual(["pool-secret", "sk-one"]);
  });
});

it("describes every knob with its default", () => {
  const text = describeEnv();
  for (const part of ["POOL_TOKEN", "(not set)", "RUNNER_MODE", "RUN_TIMEOUT_MS", "7200000"]) {
    expect(text).toContain(part);
  }
  for (const name of providers.flatMap(variablesOf)) expect(text).toContain(name);
});
