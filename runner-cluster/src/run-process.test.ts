import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, it, onTestFinished, vi } from "vitest";
import { GitHost } from "./testing/git-host.ts";
import { MountedSecret } from "./testing/mounted-secret.ts";
import { startModelServerProcess } from "./testing/model-server-process.ts";
import { usePlatform, type ScriptedPlatform } from "./testing/scripted-platform.ts";

const main = new URL("main.ts", import.meta.url).pathname;
const eventually = { timeout: 20_000, interval: 20 };

interface Started {
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;
  readonly stdout: Promise<string>;
  readonly stderr: Promise<string>;
}

function start(env: Readonly<Record<string, string>>, args: readonly string[] = []): Started {
  const tmp = mkdtempSync(join(tmpdir(), "millrace-test-"));
  const child = spawn(process.execPath, [main, ...args], {
    cwd: tmp,
    env: { PATH: process.env["PATH"], TMPDIR: tmp, RUNNER_ISOLATION: "off", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exit = new Promise<number | null>((resolve) => child.once("exit", resolve));
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exit;
    rmSync(tmp, { recursive: true });
  });
  return { child, exit, stdout: text(child.stdout), stderr: text(child.stderr) };
}

it("prints its settings when asked for help", async () => {
  const { exit, stdout } = start({}, ["--help"]);
  expect(await exit).toBe(0);
  expect(await stdout).toContain("RUNNER_SLOTS");
});

it("says which setting is wrong, and ends", async () => {
  const { exit, stderr } = start({ POOL_TOKEN: "t", RUNNER_SLOTS: "none" });
  expect(await exit).toBe(2);
  expect(await stderr).toContain("RUNNER_SLOTS");
});

it("keeps asking an edge that does not know its token, and does not print it", async () => {
  const platform = await usePlatform(onTestFinished);
  platform.script.deny = 401;
  const { child, exit, stderr } = start({ EDGE_URL: platform.url, POOL_TOKEN: "pool-secret-123" });
  await vi.waitFor(() => expect(platform.bearers.length).toBeGreaterThan(2), eventually);
  platform.script.deny = undefined;
  await vi.waitFor(() => expect(platform.poolSaid).toHaveLength(1), eventually);
  child.kill("SIGTERM");
  expect(await exit).toBe(0);
  expect(await stderr).toContain("POOL_TOKEN");
  expect(await stderr).not.toContain("pool-secret-123");
});

it("drains at the first signal and leaves at the second", async () => {
  const platform = await usePlatform(onTestFinished);
  const { child, exit } = start({ EDGE_URL: platform.url, POOL_TOKEN: "pool-secret-123" });
  await vi.waitFor(() => expect(platform.poolSaid).toHaveLength(1), eventually);
  // A claim that is never answered keeps the slot taken.
  platform.script.silent = true;
  platform.offer();
  await vi.waitFor(() => expect(platform.said).toHaveLength(1), eventually);
  child.kill("SIGTERM");
  await vi.waitFor(
    () => expect(platform.poolSaid.at(-1)).toEqual({ type: "status", free: 0 }),
    eventually,
  );
  expect(child.exitCode).toBeNull();
  child.kill("SIGINT");
  expect(await exit).toBe(1);
});

/** The environment of a session's pod, with its token in a file. */
function sessionEnv(platform: ScriptedPlatform, token = platform.token) {
  const folder = mkdtempSync(join(tmpdir(), "millrace-session-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "token");
  writeFileSync(file, `${token}\n`);
  return {
    EDGE_URL: platform.url,
    RUNNER_MODE: "session",
    MILLRACE_ORG_ID: "org",
    MILLRACE_RUN_ID: platform.runId,
    MILLRACE_ATTEMPT: "1",
    MILLRACE_RUN_TOKEN_FILE: file,
  };
}

const outcomeOf = (platform: ScriptedPlatform) => platform.frames.at(-1)?.outcome;

it("executes the attempt of its session, joins no pool, and ends", async () => {
  const platform = await usePlatform(onTestFinished);
  const { exit, stderr } = start(sessionEnv(platform));
  expect(await exit).toBe(0);
  expect(platform.bearers[0]).toBe(`Bearer ${platform.token}`);
  expect(platform.poolSaid).toEqual([]);
  // It was given no model's key: that is an outcome too, and its to tell.
  expect(outcomeOf(platform)).toMatchObject({ kind: "failed", code: "provider_rejected" });
  expect(await stderr).not.toContain(platform.token);
});

it("hands a run back that is to pause, and ends", async () => {
  const platform = await usePlatform(onTestFinished);
  platform.script.stop = true;
  expect(await start(sessionEnv(platform)).exit).toBe(0);
  expect(outcomeOf(platform)).toEqual({ kind: "released", reason: "stopped" });
});

it("ends with a code of its own when the edge refuses the token, or does not answer", async () => {
  const platform = await usePlatform(onTestFinished);
  platform.script.deny = 401;
  expect(await start(sessionEnv(platform)).exit).toBe(4);
  const away = { ...sessionEnv(platform), EDGE_URL: "http://127.0.0.1:9", EDGE_WAIT_MS: "1500" };
  expect(await start(away).exit).toBe(5);
  const without = { ...sessionEnv(platform), MILLRACE_RUN_TOKEN_FILE: "/nowhere/token" };
  expect(await start(without).exit).toBe(2);
});

it("ends with a code of its own when a repository cannot be cloned, and says which", async () => {
  const platform = await usePlatform(onTestFinished);
  const url = "http://127.0.0.1:9/acme/shop.git";
  platform.script.repos = [{ url, branch: null, autoPush: false }];
  const { exit } = start({ ...sessionEnv(platform), REPOS_FROM_LOOPBACK: "true" });
  expect(await exit).toBe(3);
  expect(outcomeOf(platform)).toMatchObject({ kind: "failed", code: "repository_failed" });
  const told = platform.events.filter(({ type }) => type === "workspace.repo");
  expect(told).toMatchObject([
    { data: { state: "cloning", url, path: "shop" } },
    { data: { state: "failed", url, path: "shop" } },
  ]);
});

it("ends with a code of its own when an MCP server cannot be used, and says which", async () => {
  const platform = await usePlatform(onTestFinished);
  const env = sessionEnv(platform);
  const file = `${env.MILLRACE_RUN_TOKEN_FILE}-mcp`;
  const url = "https://127.0.0.1:9/mcp";
  writeFileSync(file, JSON.stringify({ docs: { url } }));
  expect(await start({ ...env, MILLRACE_MCP_FILE: file }).exit).toBe(6);
  expect(outcomeOf(platform)).toMatchObject({ kind: "failed", code: "mcp_server_failed" });
  const told = platform.events.filter(({ type }) => type === "mcp.server");
  expect(told).toMatchObject([{ data: { state: "failed", server: "docs", url } }]);
});

it("works as the session's workflow says", async () => {
  const platform = await usePlatform(onTestFinished);
  const host = await GitHost.start();
  onTestFinished(() => host.stop());
  const model = await startModelServerProcess();
  onTestFinished(() => model.stop());
  const gitUrl = await host.add("flows", { "fix/AGENTS.md": "Answer in rhymes.\n" });
  start({
    ...sessionEnv(platform),
    REPOS_FROM_LOOPBACK: "true",
    MILLRACE_WORKFLOW: JSON.stringify({ gitUrl, branch: "main", path: "fix" }),
    OPENAI_API_KEY: "k",
    OPENAI_BASE_URL: model.url,
  });
  const asked = await vi.waitFor(async () => {
    const requests = await model.requests("");
    expect(requests.map(({ phase }) => phase)).toContain("build");
    return requests;
  }, eventually);
  for (const { messages } of asked) {
    expect(messages[0]).toMatchObject({ content: expect.stringContaining("Answer in rhymes.") });
  }
});

it("ends after the one run of a warm pod, and says where it is", async () => {
  const platform = await usePlatform(onTestFinished);
  const warm = { RUNNER_MODE: "warm", POD_NAME: "warm-1", POOL_TOKEN: "pool-secret-123" };
  const { exit } = start({ EDGE_URL: platform.url, ...warm });
  await vi.waitFor(() => expect(platform.poolSaid).toHaveLength(1), eventually);
  expect(platform.poolSaid[0]).toMatchObject({ kind: "warm", podName: "warm-1", slots: 1 });
  platform.offer();
  expect(await exit).toBe(0);
  expect(platform.claims).toBe(1);
});

/** A Secret that is gone when the test is. */
function mountToken(value: string): MountedSecret {
  const folder = mkdtempSync(join(tmpdir(), "millrace-secret-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return new MountedSecret(folder, "token", value);
}

it("joins its pool again with the token that its Secret has by then, and its run goes on meanwhile", async () => {
  const platform = await usePlatform(onTestFinished);
  const secret = mountToken("pool-token-1");
  platform.script.poolToken = "pool-token-1";
  platform.script.withholdAcks = true;
  const { child, exit, stderr } = start({
    EDGE_URL: platform.url,
    POOL_TOKEN_FILE: secret.path("token"),
  });
  await vi.waitFor(() => expect(platform.poolSaid).toHaveLength(1), eventually);
  platform.offer();
  await vi.waitFor(() => expect(platform.frames.length).toBeGreaterThan(0), eventually);

  // The edge is the first to change it, and the Secret comes late.
  platform.script.poolToken = "pool-token-2";
  const before = platform.bearers.length;
  platform.breakPoolSocket();
  await vi.waitFor(() => expect(platform.bearers.length).toBeGreaterThan(before + 2), eventually);
  expect(new Set(platform.bearers.slice(before))).toEqual(new Set(["Bearer pool-token-1"]));
  secret.replace("token", "pool-token-2\n");
  const hellos = () => platform.poolSaid.filter(({ type }) => type === "hello");
  await vi.waitFor(() => expect(hellos()).toHaveLength(2), eventually);
  expect(platform.bearers.at(-1)).toBe("Bearer pool-token-2");
  expect(platform.claims).toBe(1);
  expect(child.exitCode).toBeNull();

  platform.script.withholdAcks = false;
  platform.ack();
  await vi.waitFor(() => expect(outcomeOf(platform)).toBeDefined(), eventually);
  child.kill("SIGTERM");
  expect(await exit).toBe(0);
  expect(await stderr).not.toMatch(/pool-token-[12]/);
}, 60_000);

it("goes on with the run token that its Secret has, when the one it holds opens nothing any more", async () => {
  const platform = await usePlatform(onTestFinished);
  const secret = mountToken(platform.token);
  platform.script.withholdAcks = true;
  const { exit, stderr } = start({
    ...sessionEnv(platform),
    MILLRACE_RUN_TOKEN_FILE: secret.path("token"),
  });
  await vi.waitFor(() => expect(platform.frames.length).toBeGreaterThan(0), eventually);
  secret.replace("token", "renewed-by-the-operator");
  platform.script.runToken = "renewed-by-the-operator";
  platform.script.withholdAcks = false;
  platform.breakRunSocket();
  expect(await exit).toBe(0);
  expect(platform.claims).toBe(2);
  expect(platform.bearers.at(-1)).toBe("Bearer renewed-by-the-operator");
  expect(outcomeOf(platform)).toMatchObject({ kind: "failed", code: "provider_rejected" });
  expect(await stderr).not.toContain("renewed-by-the-operator");
}, 60_000);
