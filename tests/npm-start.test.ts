import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { findFreePort } from "../scripts/free-port.ts";
import { Api } from "./support/api.ts";
import { checkout } from "./support/build-paths.ts";
import { releaseAtEnd } from "./support/cleanup.ts";
import { nameOf } from "./support/sse.ts";
import { makeTempDir } from "./support/temp.ts";
import { unzip } from "./support/zip.ts";

interface Start {
  readonly process: ChildProcess;
  /** Everything that it printed so far. */
  readonly printed: () => string;
  readonly stateDir: string;
  readonly exited: Promise<unknown>;
}

/** `npm start` without npm: what its script runs, in an environment without provider keys. */
async function start(env: Readonly<Record<string, string>> = {}): Promise<Start> {
  const stateDir = join(await makeTempDir("start"), "state");
  const child = spawn(process.execPath, [join(checkout, "scripts/start.ts")], {
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

async function untilPrinted({ printed, process: child }: Start, text: string): Promise<void> {
  while (!printed().includes(text)) {
    if (child.exitCode !== null) throw new Error(`it ended: ${printed()}`);
    await sleep(100);
  }
}

/** Processes of this state: it stands in their arguments or environment, or they write a log in it. */
function processesOf(stateDir: string): readonly string[] {
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

async function expectNothingLeft(stateDir: string): Promise<void> {
  await expect.poll(() => processesOf(stateDir), { timeout: 10_000 }).toEqual([]);
}

function printedFact(output: string, name: string): string {
  return new RegExp(`${name} +(\\S+)`).exec(output)?.[1] ?? "";
}

// wrangler takes ten seconds to start on an idle machine, and much longer on a busy one.
describe("npm start", { timeout: 300_000 }, () => {
  it("brings up everything, runs the example, and leaves nothing behind", async () => {
    const system = await start();
    await untilPrinted(system, "Ctrl-C stops everything");
    const output = system.printed();
    const api = new Api(printedFact(output, "base URL"), printedFact(output, "API key"));
    // The printed commands, as they are, but without a pause between them.
    const commands = output.slice(output.indexOf("\ncurl"), output.indexOf("  Ctrl-C"));
    const shell = spawn("/bin/sh", ["-ec", commands], { stdio: ["ignore", "pipe", "inherit"] });
    const stream = (await shell.stdout.setEncoding("utf8").toArray()).join("");
    expect(stream).toContain('"plan_ready"');
    expect(stream).toContain("event: done");

    const runs = await api.request("GET", "/v1/projects/demo/runs");
    expect(runs.body).toMatchObject({ data: [{ status: "completed" }], meta: { total: 1 } });
    const again = await api.streamRun("demo", { prompt: "once more" });
    expect((await again.stream.toEnd()).map(nameOf).at(-1)).toBe("done");
    expect((await unzip(await api.download("demo", again.runId))).has("package.json")).toBe(true);

    expect(statSync(system.stateDir).mode & 0o777).toBe(0o700);
    for (const secret of ["api-key", "pool-token", "run-token-secret", "edge.env"])
      expect(statSync(join(system.stateDir, secret)).mode & 0o777, secret).toBe(0o600);
    // wrangler, workerd, the runner and the model at least: what is looked for at the end is found now.
    expect(processesOf(system.stateDir).length).toBeGreaterThan(4);

    system.process.kill("SIGINT");
    await system.exited;
    expect(system.process.exitCode).toBe(0);
    await expectNothingLeft(system.stateDir);
  });

  it("keeps state and key from start to start, and its processes die with it", async () => {
    const first = await start();
    await untilPrinted(first, "Ctrl-C stops everything");
    const key = printedFact(first.printed(), "API key");
    const api = new Api(printedFact(first.printed(), "base URL"), key);
    const project = await api.createProject();
    first.process.kill("SIGKILL");
    await first.exited;
    await expectNothingLeft(first.stateDir);

    const second = await start({ STATE_DIR: first.stateDir });
    await untilPrinted(second, "Ctrl-C stops everything");
    expect(printedFact(second.printed(), "API key")).toBe(key);
    const after = new Api(printedFact(second.printed(), "base URL"), key);
    expect((await after.request("GET", `/v1/projects/${project}`)).status).toBe(200);

    const third = await start({ STATE_DIR: first.stateDir });
    await third.exited;
    expect(third.process.exitCode).toBe(1);
    expect(third.printed()).toContain("is in use by process");
    expect((await after.request("GET", "/health")).status).toBe(200);
    second.process.kill("SIGTERM");
    await second.exited;
    await expectNothingLeft(first.stateDir);
  });

  it.each([
    [{ PORT: "http" }, "PORT"],
    [{ PORT: "70000" }, "PORT"],
    [{ AGENT_API_KEY: "short" }, "AGENT_API_KEY"],
    [{ WORKSPACE_ROOT: "/" }, "must lie apart"],
  ])("says what is wrong with %j", async (env, words) => {
    const system = await start(env);
    await system.exited;
    expect(system.process.exitCode).toBe(1);
    expect(system.printed()).toContain(words);
    expect(system.printed()).not.toMatch(/^ +at /m);
  });

  it("says which knob to turn when its port is taken", async () => {
    const { createServer } = await import("node:net");
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    releaseAtEnd(() => void server.close());
    const address = server.address();
    const port = typeof address === "object" ? String(address?.port) : "";
    const system = await start({ PORT: port });
    await system.exited;
    expect(system.printed()).toContain(`Port ${port}`);
    expect(system.printed()).toContain("PORT=");
    expect(existsSync(join(system.stateDir, "in-use-by"))).toBe(false);
  });
});
