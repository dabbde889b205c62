import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, it, onTestFinished, vi } from "vitest";
import { usePlatform } from "./testing/scripted-platform.ts";

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
