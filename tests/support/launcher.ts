import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { findFreePort } from "../../scripts/free-port.ts";
import { checkout } from "./build-paths.ts";
import { releaseAtEnd } from "./cleanup.ts";
import { makeTempDir } from "./temp.ts";

/** A script of `npm start` or `npm run edge`, as a process. */
export interface Start {
  readonly process: ChildProcess;
  /** Everything that it printed so far. */
  readonly printed: () => string;
  readonly stateDir: string;
  readonly exited: Promise<unknown>;
}

/** `npm start` or `npm run edge` without npm: what the script runs, in an environment without provider keys. */
export async function launch(
  script: "start" | "edge",
  env: Readonly<Record<string, string>> = {},
): Promise<Start> {
  const stateDir = env["STATE_DIR"] ?? join(await makeTempDir("start"), "state");
  const child = spawn(process.execPath, [join(checkout, `scripts/${script}.ts`)], {
    cwd: checkout,
    env: {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      PORT: String(await findFreePort("127.0.0.1")),
      STATE_DIR: stateDir,
      // An empty one counts as set, so that a developer's .env does not bring a real model in.
      ...Object.fromEntries(["OPENAI_API_KEY", "ANTHROPIC_API_KEY"].map((name) => [name, ""])),
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  releaseAtEnd(() => void child.kill("SIGKILL"));
  let printed = "";
  for (const output of [child.stdout, child.stderr])
    output.setEncoding("utf8").on("data", (text: string) => (printed += text));
  return { process: child, printed: () => printed, stateDir, exited: once(child, "exit") };
}

export async function untilPrinted(
  { printed, process: child }: Start,
  text: string,
): Promise<void> {
  while (!printed().includes(text)) {
    if (child.exitCode !== null) throw new Error(`it ended: ${printed()}`);
    await sleep(100);
  }
}

/** Processes of this state: it stands in their arguments or environment, or they write a log in it. */
export function processesOf(stateDir: string): readonly string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) =>
      [
        attempt(() => readFileSync(`/proc/${pid}/cmdline`, "utf8")),
        attempt(() => readFileSync(`/proc/${pid}/environ`, "utf8")),
        attempt(() => readlinkSync(`/proc/${pid}/fd/1`)),
      ].some((fact) => fact.includes(stateDir)),
    );
}

/** Processes come and go while they are looked at. */
function attempt(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}

export async function expectNothingLeft(stateDir: string): Promise<void> {
  await expect.poll(() => processesOf(stateDir), { timeout: 10_000 }).toEqual([]);
}

export function printedFact(output: string, name: string): string {
  return new RegExp(`${name} +(\\S+)`).exec(output)?.[1] ?? "";
}
