import { randomUUID } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { addOrg } from "../support/add-org.ts";
import {
  command,
  downloadFiles,
  mark,
  startFaultBench,
  type BegunRun,
  type FaultBench,
} from "../support/fault-bench.ts";
import type { ScenarioInput } from "../support/model-server/scenario.ts";
import { expectRecord } from "../support/run-record.ts";
import type { Runner } from "../support/runner-process.ts";
import { nameOf, type Frame } from "../support/sse.ts";
import { makeTempDir } from "../support/temp.ts";

let bench: FaultBench;

beforeAll(async () => {
  bench = await startFaultBench();
});

const secrets = {
  OPENAI_API_KEY: `sk-${randomUUID()}`,
  ANTHROPIC_API_KEY: `ant-${randomUUID()}`,
  AWS_SECRET_ACCESS_KEY: `aws-${randomUUID()}`,
};

async function finish(
  title: string,
  scenario: ScenarioInput,
): Promise<{ readonly run: BegunRun; readonly frames: readonly Frame[] }> {
  const run = await bench.begin(title, scenario);
  const frames = await expectRecord(bench.api, run, await run.stream.toEnd());
  expect(frames.at(-1)?.event).toBe("done");
  return { run, frames };
}

/** What a command leaves in a file of the workspace: no redactor is between it and the test. */
async function seenBy(title: string, script: string): Promise<string> {
  const build = [command(`( ${script} ) > seen.txt 2>&1; true`), { text: "Done." }];
  const { run } = await finish(title, { build });
  return (await downloadFiles(bench.api, run)).get("seen.txt") ?? "";
}

describe.each(["auto", "off"])("a command, with RUNNER_ISOLATION=%s", (isolation) => {
  it("sees no key and no token, in its environment, in /proc, or handed down", async () => {
    const runner = await bench.startRunner({ env: { ...secrets, RUNNER_ISOLATION: isolation } });
    const seen = await seenBy(
      `looks for keys ${isolation}`,
      `env; echo --; cat /proc/*/environ /proc/*/cmdline | tr '\\0' '\\n'; echo --; ` +
        `pid=$$; while [ "\${pid:-0}" -gt 1 ]; do cat /proc/$pid/environ | tr '\\0' '\\n'; ` +
        `pid=$(sed -n 's/^PPid:\\t//p' /proc/$pid/status); done; ` +
        `for fd in /proc/$$/fd/*; do readlink $fd; done; cat <&3; cat /proc/${runner.pid}/environ | tr '\\0' '\\n'`,
    );
    expect(seen).toContain("HOME=");
    for (const secret of [...Object.values(secrets), bench.platform.poolToken])
      expect(seen).not.toContain(secret);
    await runner.kill();
  });
});

describe("a command that is isolated", () => {
  it("sees its own project, and nothing else that is ours", async (context) => {
    const needle = `needle-${randomUUID()}`;
    const runner = await bench.startRunner({ env: secrets });
    const build = [command(`echo ${needle} > ${needle}.txt; echo ${needle} > "$HOME/${needle}"`)];
    const other = await finish("has a secret", { build });
    const ready = other.frames.find((frame) => nameOf(frame) === "workspace.ready");
    if (!ready?.data["isolated"]) return context.skip("this machine cannot isolate commands");
    await mkdir(runner.stateDir, { recursive: true });
    await writeFile(join(runner.stateDir, "state.txt"), needle);

    const { workspaceRoot, stateDir } = runner;
    const seen = await seenBy(
      "looks around",
      `ls -a ${workspaceRoot}; ls -a ${workspaceRoot}/.millrace ${stateDir}; ` +
        `cat ${workspaceRoot}/${other.run.projectId}/* ${stateDir}/* "$HOME"/../*/*; ` +
        `ls -a "$PWD/.." "$HOME/.."; find / -name '*needle-*' -not -path '/proc/*'; ` +
        "echo looked",
    );
    expect(seen).toContain("looked");
    expect(seen).not.toContain(`${needle}\n`);
    expect(seen).not.toContain(`${needle}.txt\n`);
    expect(seen).not.toContain(other.run.projectId + "\n");
    const file = await readFile(join(workspaceRoot, other.run.projectId, `${needle}.txt`), "utf8");
    expect(file).toBe(`${needle}\n`);
    await runner.kill();
  });
});

const read = (path: string) => ({ name: "read_file", arguments: { path } });

describe("what lies outside the workspace, or is secret", () => {
  it("leaves it neither by a tool nor in the zip", async () => {
    const runner = await bench.startRunner({ env: { RUNNER_ISOLATION: "off" } });
    const outside = await makeTempDir("outside");
    const needle = `needle-${randomUUID()}`;
    await writeFile(join(outside, "file.txt"), needle);
    const make = [
      `ln -s ${outside}/file.txt link.txt`,
      `ln -s ${outside} linked`,
      `ln -s linked/../linked twice`,
      `echo ${needle} > .env; echo ${needle} > key.pem; mkdir .ssh; echo ${needle} > .ssh/id_rsa`,
      "echo NAME= > .env.example; echo plain > plain.txt",
    ].join("; ");
    const refused = ["link.txt", "linked/file.txt", "twice/file.txt", ".env", "key.pem"]
      .concat([".ssh/id_rsa", ".git/config", `${outside}/file.txt`, "/etc/passwd"])
      .map(read);
    const write = { name: "write_file", arguments: { path: "linked/new.txt", content: "x" } };
    const { run, frames } = await finish("symlinks and secrets", {
      build: [
        command(make),
        { toolCalls: [...refused, write] },
        {
          toolCalls: [
            { name: "grep", arguments: { pattern: "needle" } },
            { name: "glob", arguments: { pattern: "**/*" } },
            read(".env.example"),
          ],
        },
        { text: "Done." },
      ],
    });
    const phases = frames
      .filter(({ event, data }) => event === "tool" && /end|error/.test(String(data["phase"])))
      .map(({ data }) => data["phase"]);
    const errors = Array.from({ length: refused.length + 1 }, () => "error");
    expect(phases).toEqual(["end", ...errors, "end", "end", "end"]);
    // The call that made them tells of it; everything after it is what tools found.
    const found = frames.filter(({ data }) => data["callId"] !== "call_build_0_0");
    expect(JSON.stringify(found)).not.toContain(needle);
    await expect(readFile(join(outside, "new.txt"))).rejects.toThrow("ENOENT");

    const files = await downloadFiles(bench.api, run);
    expect([...files.values()].join("\n")).not.toContain(needle);
    expect(files.get("plain.txt")).toBe("plain\n");
    expect(files.get(".env.example")).toBe("NAME=\n");
    expect(
      [...files.keys()].filter((path) => /pem|ssh|env$|git|linked\/|twice\//.test(path)),
    ).toEqual([]);
    await runner.kill();
  });
});

describe("an org", () => {
  it("is the only one that a runner's disk serves", async () => {
    const workspaceRoot = await makeTempDir("root-of-another-org");
    await mkdir(join(workspaceRoot, ".millrace"), { mode: 0o700 });
    await writeFile(join(workspaceRoot, ".millrace/org"), `${randomUUID()}\n`);
    const bound: Runner = await bench.startRunner({ workspaceRoot });
    await bound.joined();
    const run = await bench.begin("of the wrong org", { build: [mark("a"), { text: "Done." }] });
    await sleep(1_000);
    expect((await bench.api.run(run.projectId, run.runId)).status).toBe("queued");
    await bench.startRunner();
    const frames = await expectRecord(bench.api, run, await run.stream.toEnd());
    expect(frames.at(-1)?.event).toBe("done");
    expect(await bound.log()).not.toContain("attempt begins");
  });

  it("sees nothing of another: not projects, runs, events, messages or files", async () => {
    const runner = await bench.startRunner();
    const projectId = `shared-name-${randomUUID()}`;
    await bench.api.createProject(projectId);
    const own = await bench.begin(
      "of the first org",
      { build: [mark("a"), { text: "Done." }] },
      projectId,
    );
    await own.stream.toEnd();
    const open = await bench.begin("still open", { build: [command("sleep 600")] }, projectId);
    await open.stream.until(({ data }) => data["phase"] === "start");
    const stranger = await addOrg(bench.platform, `org-${randomUUID()}`);

    const project = `/v1/projects/${projectId}`;
    const tries = [own, open].flatMap(({ runId }) => [
      ["GET", `${project}/runs/${runId}`],
      ["GET", `${project}/runs/${runId}/messages`],
      ["GET", `${project}/runs/${runId}/stream`],
      ["POST", `${project}/runs/${runId}/cancel`],
      ["GET", `${project}/runs/${runId}/download.zip`],
    ]) as readonly (readonly [string, string])[];
    const expectNothing = async (): Promise<void> => {
      for (const [method, path] of tries)
        expect(await stranger.request(method, path), path).toMatchObject({
          status: 404,
          body: { ok: false, code: "not_found" },
        });
    };
    await expectNothing();
    expect((await stranger.request("GET", project)).status).toBe(404);
    expect((await stranger.request("GET", `${project}/runs`)).status).toBe(404);
    expect((await stranger.request("GET", "/v1/projects")).body).toMatchObject({ data: [] });

    // A project of the same name is another project, also for idempotency keys and the order of runs.
    await stranger.createProject(projectId);
    await expectNothing();
    const key = randomUUID();
    await stranger.createRun(projectId, { prompt: "mine" }, key);
    expect((await stranger.request("GET", `${project}/runs`)).body).toMatchObject({
      meta: { total: 1 },
    });
    expect((await bench.api.request("GET", `${project}/runs`)).body).toMatchObject({
      meta: { total: 2 },
    });
    const other = await bench.api.createRun(projectId, { prompt: "not mine" }, key);
    expect(other.created).toBe(true);
    expect((await bench.api.run(projectId, open.runId)).status).toBe("running");
    await bench.api.cancel(projectId, open.runId);
    await runner.kill();
  });
});
