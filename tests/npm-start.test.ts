import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Api } from "./support/api.ts";
import { releaseAtEnd } from "./support/cleanup.ts";
import {
  expectNothingLeft,
  launch,
  printedFact,
  processesOf,
  untilPrinted,
} from "./support/launcher.ts";
import { nameOf } from "./support/sse.ts";
import { unzip } from "./support/zip.ts";

// wrangler takes ten seconds to start on an idle machine, and much longer on a busy one.
describe("npm start", { timeout: 300_000 }, () => {
  it("brings up everything, runs the example, and leaves nothing behind", async () => {
    const system = await launch("start");
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
    const first = await launch("start");
    await untilPrinted(first, "Ctrl-C stops everything");
    const key = printedFact(first.printed(), "API key");
    const api = new Api(printedFact(first.printed(), "base URL"), key);
    const project = await api.createProject();
    first.process.kill("SIGKILL");
    await first.exited;
    await expectNothingLeft(first.stateDir);

    const second = await launch("start", { STATE_DIR: first.stateDir });
    await untilPrinted(second, "Ctrl-C stops everything");
    expect(printedFact(second.printed(), "API key")).toBe(key);
    const after = new Api(printedFact(second.printed(), "base URL"), key);
    expect((await after.request("GET", `/v1/projects/${project}`)).status).toBe(200);

    const third = await launch("start", { STATE_DIR: first.stateDir });
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
    [{ POOL_TOKEN: "in two words" }, "POOL_TOKEN"],
    [{ MAX_ATTEMPTS: "none" }, "MAX_ATTEMPTS"],
    [{ WORKSPACE_ROOT: "/" }, "must lie apart"],
    [{ STATE_DIR: import.meta.dirname }, "holds something else"],
  ])("says what is wrong with %j", async (env, words) => {
    const system = await launch("start", env);
    await system.exited;
    expect(system.process.exitCode).toBe(1);
    expect(system.printed()).toContain(words);
    expect(system.printed()).not.toMatch(/^ +at /m);
  });

  it("ends when its runner cannot start, and says why", async () => {
    const system = await launch("start", { RUNNER_SLOTS: "many" });
    await system.exited;
    expect(system.process.exitCode).toBe(1);
    expect(system.printed()).toContain("RUNNER_SLOTS");
    await expectNothingLeft(system.stateDir);
  });

  it("starts another runner when one dies", async () => {
    const system = await launch("start");
    await untilPrinted(system, "Ctrl-C stops everything");
    const [runner] = processesOf(system.stateDir).filter((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("runner-cluster/src/main.ts"),
    );
    process.kill(Number(runner), "SIGKILL");
    await untilPrinted(system, "Starting another");
    const api = new Api(
      printedFact(system.printed(), "base URL"),
      printedFact(system.printed(), "API key"),
    );
    const project = await api.createProject();
    const { stream } = await api.streamRun(project, { prompt: "go on" });
    expect((await stream.toEnd()).map(nameOf).at(-1)).toBe("done");
  });

  it("says which knob to turn when its port is taken", async () => {
    const { createServer } = await import("node:net");
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    releaseAtEnd(() => void server.close());
    const address = server.address();
    const port = typeof address === "object" ? String(address?.port) : "";
    const system = await launch("start", { PORT: port });
    await system.exited;
    expect(system.printed()).toContain(`Port ${port}`);
    expect(system.printed()).toContain("PORT=");
    expect(existsSync(join(system.stateDir, "in-use-by"))).toBe(false);
  });
});
