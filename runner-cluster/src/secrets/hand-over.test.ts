import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { usePlatform } from "../testing/scripted-platform.ts";

const eventually = { timeout: 20_000, interval: 20 };
const main = new URL("../main.ts", import.meta.url).pathname;
const secrets = ["pool-secret-123456", "sk-key-1234567890", "of-the-user-123456"];

interface Started {
  readonly child: ChildProcess;
  readonly tmp: string;
}

function startRunner(edgeUrl: string): Started {
  const tmp = mkdtempSync(join(tmpdir(), "millrace-test-"));
  const child = spawn(process.execPath, [main], {
    env: {
      PATH: process.env["PATH"],
      TMPDIR: tmp,
      EDGE_URL: edgeUrl,
      POOL_TOKEN: secrets[0],
      OPENAI_API_KEY: secrets[1],
      AWS_SECRET_ACCESS_KEY: secrets[2],
      // More than a pipe holds at once.
      LARGE: "x".repeat(120_000),
      // What a machine can isolate is not the question here, and finding out takes a while.
      RUNNER_ISOLATION: "off",
      STATE_DIR: join(tmp, "state"),
      WORKSPACE_ROOT: join(tmp, "workspaces"),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(async () => {
    if (child.exitCode === null) {
      child.kill("SIGKILL");
      await new Promise((resolve) => child.once("exit", resolve));
    }
    rmSync(tmp, { recursive: true });
  });
  return { child, tmp };
}

/** Environment and command line of every process below this one, as any command of a run could read them. */
function seenInProc(pid: number): string {
  const read = (file: string): string => readFileSync(`/proc/${pid}/${file}`, "utf8");
  const children = read(`task/${pid}/children`).trim();
  expect(children, "the runner leaves no process behind").toBe("");
  return read("environ") + read("cmdline");
}

it.skipIf(process.platform !== "linux")(
  "leaves no secret where a command could read it, and keeps its settings",
  async () => {
    const platform = await usePlatform(onTestFinished);
    const { child, tmp } = startRunner(platform.url);
    await vi.waitFor(() => expect(platform.poolSaid).toHaveLength(1), eventually);
    // Its token came through the pipe, and it is still the process that was started.
    expect(platform.bearers).toEqual([`Bearer ${secrets[0]}`]);
    const seen = seenInProc(child.pid ?? 0);
    for (const secret of secrets) expect(seen).not.toContain(secret);
    expect(seen).toContain("main.ts");
    expect(readdirSync(tmp).toSorted()).toEqual(["workspaces"]);
    child.kill("SIGTERM");
    const code = await new Promise((resolve) => child.once("exit", resolve));
    expect(code).toBe(0);
  },
);
