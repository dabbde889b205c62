import { beforeAll, describe, expect, it } from "vitest";
import {
  command,
  downloadFiles,
  mark,
  startFaultBench,
  type BegunRun,
  type FaultBench,
} from "../support/fault-bench.ts";
import type { Fault, ScenarioInput } from "../support/model-server/scenario.ts";
import { endAtEnd, findProcesses } from "../support/processes.ts";
import { expectRecord, requestsOf } from "../support/run-record.ts";
import { nameOf, type Frame } from "../support/sse.ts";

let bench: FaultBench;

beforeAll(async () => {
  bench = await startFaultBench({ vars: { MAX_ATTEMPTS: "1" } });
});

interface Finished {
  readonly run: BegunRun;
  readonly frames: readonly Frame[];
  readonly last: Frame["data"];
  /** What the model was told, in all its requests. */
  readonly told: string;
}

/** Runs a scenario to its end, on whatever runner there is. */
async function finish(title: string, scenario: ScenarioInput): Promise<Finished> {
  const run = await bench.begin(title, scenario);
  const frames = await expectRecord(bench.api, run, await run.stream.toEnd());
  const told = JSON.stringify(requestsOf(bench.model.log(), title).map((one) => one.messages));
  return { run, frames, last: frames.at(-1)?.data ?? {}, told };
}

/** The same on a runner of its own, with these knobs. */
async function finishWith(
  env: Readonly<Record<string, string>>,
  title: string,
  scenario: ScenarioInput,
): Promise<Finished> {
  const runner = await bench.startRunner({ env });
  const finished = await finish(title, scenario);
  await runner.kill();
  return finished;
}

const ends = (frames: readonly Frame[]): readonly Frame["data"][] =>
  frames
    .filter(({ event, data }) => event === "tool" && /end|error/.test(String(data["phase"])))
    .map(({ data }) => data);

describe("a bound ends what goes on for too long, and says so", () => {
  it("a command, with all that it started; the model goes on", async () => {
    const name = `600.${process.pid}7`;
    endAtEnd(name);
    const { frames, last, told } = await finishWith(
      { COMMAND_TIMEOUT_MS: "1000" },
      "command timeout",
      {
        build: [command(`setsid sleep ${name}1 & sleep ${name}2`), mark("a"), { text: "Done." }],
      },
    );
    expect(ends(frames)[0]).toMatchObject({ phase: "end", output: { timedOut: true } });
    expect(told).toContain("the time for a command was over");
    expect(findProcesses(name)).toEqual([]);
    expect(last).toMatchObject({ output: "Done." });
  });

  it.for<readonly [string, ScenarioInput, Readonly<Record<string, string>>, object]>([
    [
      "a model that says nothing",
      { build: [{ text: "one two three", fault: { kind: "silence", afterChunks: 2 } }] },
      { MODEL_SILENCE_MS: "1000" },
      { code: "model_silent", error: "openai sent nothing for 1 s." },
    ],
    [
      "a model that comes to no end",
      { build: [{ repeat: 50, ...mark("{i}") }] },
      { PHASE_STEP_LIMIT: "4" },
      { code: "step_limit", error: "The build phase took more than 4 steps." },
    ],
    [
      "a run",
      { build: [mark("0"), command("sleep 600"), mark("never")] },
      { RUN_TIMEOUT_MS: "5000" },
      { code: "run_timeout", error: "The run took longer than 5 s." },
    ],
  ])("%s", async ([title, scenario, env, reason]) => {
    const { run, frames, last } = await finishWith(env, title, scenario);
    expect(frames.at(-1)?.event).toBe("error");
    expect(last).toMatchObject({ ...reason, attempts: 1, maxAttempts: 1 });
    expect(frames.map(nameOf)).toContain("workspace_snapshot_stored");
    expect([...(await downloadFiles(bench.api, run)).values()].join()).not.toContain("never");
  });
});

describe("a provider that refuses", () => {
  const key = "sk-test-key-0123456789abcdef";

  it.each([401, 400])("with %i: that ends the run at once, and no key is told", async (status) => {
    const message = `Incorrect API key provided: ${key}. Bearer ${key}`;
    const title = `refused ${status}`;
    const runner = await bench.startRunner({ env: { OPENAI_API_KEY: key } });
    const run = await bench.begin(title, {
      plan: [{ fault: { kind: "status", status, message } }],
    });
    const frames = await expectRecord(bench.api, run, await run.stream.toEnd());
    const data = { code: "provider_rejected", attempts: 1 };
    expect(frames.at(-1)).toMatchObject({ event: "error", data });
    expect(String(frames.at(-1)?.data["error"])).toContain(`openai answered ${status}`);
    expect(requestsOf(bench.model.log(), title)).toHaveLength(1);
    const answers = (await bench.api.messages(run.projectId, run.runId)).slice(1);
    const logs = [await runner.log(), await bench.platform.log()];
    expect(JSON.stringify([frames, answers, logs])).not.toContain(key);
    await runner.kill();
  });
});

let shared: Promise<unknown> | undefined;
/** Not before the tests whose runs must not go to it. */
async function useSharedRunner(): Promise<void> {
  shared ??= bench.startRunner();
  await shared;
}

describe("on a runner that all share, output of a tool", () => {
  beforeAll(useSharedRunner);

  it("is cut for the event above 64 KB, and the model reads the rest in a file", async () => {
    const path = ".millrace/tool-output/call_build_0_0.txt";
    const read = { name: "read_file", arguments: { path, offset: 39_990 } };
    const { frames, told } = await finish("much output", {
      build: [command("seq 100000 140000"), { toolCalls: [read] }, { text: "Done." }],
    });
    const chunks = frames.map(({ data }) => (data["chunk"] as string | undefined) ?? "").join("");
    expect(chunks.length).toBeGreaterThan(60_000);
    expect(chunks.length).toBeLessThan(70_000);
    expect(chunks).toContain("[output cut]");
    const [ran, looked] = ends(frames);
    expect(ran).toMatchObject({ output: { exitCode: 0, outputFile: path } });
    expect(JSON.stringify(ran).length).toBeLessThan(80_000);
    expect(looked).toMatchObject({ phase: "end", tool: "read_file" });
    expect(JSON.stringify(looked)).toContain("139995");
    expect(told).toContain(`read it with read_file`);
  });

  it("of a kind that grows when it is written down ends no run", async () => {
    const { frames } = await finish("zeros", {
      build: [
        command("head -c 200000 /dev/zero | tee >(cat >&2)"),
        { text: "\u0001".repeat(100), repeatText: 3_000 },
      ],
    });
    expect(frames.at(-1)?.event).toBe("done");
    expect(ends(frames)).toHaveLength(1);
  });

  it("that is an error goes to the model, and the run goes on", async () => {
    const toolCalls = [
      { name: "fly", arguments: {} },
      { name: "write_file", arguments: "{not json" },
      { name: "read_file", arguments: { path: "not-there.txt" } },
      { name: "write_file", arguments: { path: "../../outside.txt", content: "x" } },
      ...command("exit 9").toolCalls,
    ];
    const { frames, told } = await finish("failing tools", {
      build: [{ toolCalls }, mark("a"), { text: "Done." }],
    });
    expect(frames.at(-1)?.event).toBe("done");
    expect(ends(frames).map(({ phase, code }) => code ?? phase)).toEqual([
      "unknown_tool",
      "invalid_arguments",
      "not_found",
      "outside_workspace",
      "end",
      "end",
    ]);
    expect(told).toContain("Exit code 9.");
  });

  it("cannot come from a tool that changes something while the run plans", async () => {
    const toolCalls = [
      { name: "write_file", arguments: { path: "planned.txt", content: "x" } },
      { name: "edit_file", arguments: { path: "a", old_string: "a", new_string: "b" } },
      ...mark("planned").toolCalls,
    ];
    const title = "writes while planning";
    const { run, frames } = await finish(title, {
      plan: [{ toolCalls }, { text: "- build it" }],
      build: [mark("built"), { text: "Done." }],
    });
    expect(ends(frames).map(({ code }) => code ?? "ok")).toEqual([
      ...Array.from({ length: 3 }, () => "unknown_tool"),
      "ok",
    ]);
    expect([...(await downloadFiles(bench.api, run))]).toEqual([["trace.txt", "built\n"]]);
    const [planning] = requestsOf(bench.model.log(), title);
    expect(planning?.tools.toSorted()).toEqual(["glob", "grep", "ls", "read_file", "write_todos"]);
  });
});

describe("on that runner, a provider that fails for a moment", () => {
  beforeAll(useSharedRunner);

  const passing: Readonly<Record<string, Fault>> = {
    "429 with Retry-After": {
      kind: "status",
      status: 429,
      message: "slow down",
      retryAfter: "2",
      times: 1,
    },
    "500": { kind: "status", status: 500, message: "oops", times: 2 },
    "a cut connection": { kind: "cut", afterChunks: 4, times: 1 },
    "a stream that ends too early": { kind: "truncate", afterChunks: 4, times: 1 },
  };

  it.each(Object.entries(passing))("with %s is asked again", async (name, fault) => {
    const title = `passing ${name}`;
    const { run, frames } = await finish(title, {
      build: [{ text: "one two three four", ...mark("a"), fault }, { text: "Done." }],
    });
    expect(frames.at(-1)?.event).toBe("done");
    expect(frames.map(nameOf).filter((one) => one === "model.retrying")).toHaveLength(
      fault.times ?? 0,
    );
    expect((await downloadFiles(bench.api, run)).get("trace.txt")).toBe("a\n");
    const [, first, second] = requestsOf(bench.model.log(), title);
    const waitedMs = (second?.at ?? 0) - (first?.at ?? 0);
    const askedMs = fault.kind === "status" && fault.retryAfter ? 2_000 : 0;
    expect(waitedMs).toBeGreaterThanOrEqual(askedMs);
    // Only whole answers are counted: three of them, 120 tokens each.
    const view = await bench.api.run(run.projectId, run.runId);
    expect(view.usage?.totalTokens).toBe(360);
  });
});
