import type { v1 } from "@millrace/contracts";
import { beforeAll, describe, expect, it } from "vitest";
import type { Api } from "./support/api.ts";
import { releaseAtEnd } from "./support/cleanup.ts";
import { startModelServer } from "./support/model-server/model-server.ts";
import { promptFor } from "./support/model-server/scenario.ts";
import { startPlatform } from "./support/platform.ts";
import { expectPairedTools, expectWhole } from "./support/run-record.ts";
import { startRunner } from "./support/runner-process.ts";
import { nameOf, type Frame } from "./support/sse.ts";
import { TraceCollector } from "./support/trace-collector.ts";
import { unzip } from "./support/zip.ts";

let api: Api;
let collector: TraceCollector;

beforeAll(async () => {
  const platform = await startPlatform();
  const model = await startModelServer();
  releaseAtEnd(() => model.stop());
  collector = await TraceCollector.start();
  await startRunner({
    edgeUrl: platform.url,
    poolToken: platform.poolToken,
    env: {
      OPENAI_API_KEY: "sk-test-of-nobody",
      OPENAI_BASE_URL: model.url,
      OPENAI_MODEL: "gpt-5",
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: "x-collector-key=collector-secret",
      OTEL_BSP_SCHEDULE_DELAY: "200",
    },
  });
  api = platform.api;
});

/** The frames whose order is promised, without those that come as they come. */
const milestones = [
  "queued",
  "running",
  "phase_started",
  "phase_completed",
  "plan_ready",
  "phase_transition",
  "git_commit",
  "workspace_snapshot_stored",
  "model_resolved",
  "done",
];

describe("a prompt", () => {
  it("becomes a plan, a build, files and an answer, on one stream", async () => {
    const project = await api.createProject();
    const { runId, stream } = await api.streamRun(project, { prompt: "count words" });
    const frames = await stream.toEnd();
    expectWhole(frames);
    expect(frames.map(nameOf).filter((name) => milestones.includes(name))).toEqual([
      "queued",
      "running",
      "phase_started",
      "phase_completed",
      "plan_ready",
      "phase_transition",
      "phase_started",
      "phase_completed",
      "git_commit",
      "workspace_snapshot_stored",
      "model_resolved",
      "done",
    ]);
    expect(frames.filter(({ event }) => event === "token").length).toBeGreaterThan(10);
    expectPairedTools(frames);

    const run = await api.run(project, runId);
    expect(run).toMatchObject({ status: "completed", error: null, prompt: "count words" });
    expect(run.meta).toMatchObject({ provider: "openai", model: "gpt-5", attempt: 1 });
    expect(run.usage?.totalTokens).toBe(
      (run.usage?.inputTokens ?? 0) + (run.usage?.outputTokens ?? 0),
    );
    expect(frames.at(-1)?.data).toMatchObject({ output: run.output, usage: run.usage });
    expectPrice(run);

    const files = await unzip(await api.download(project, runId));
    expect([...files.keys()]).toEqual(
      expect.arrayContaining(["package.json", "src/count-words.js", "test/count-words.test.js"]),
    );
    expect([...files.keys()].filter((path) => path.startsWith(".git/"))).toEqual([]);

    expect(await api.messages(project, runId)).toMatchObject([
      { role: "user", content: "count words" },
      { role: "assistant", content: run.output },
    ]);
  });

  it("can be read again from any place: the rest, to the byte", async () => {
    const project = await api.createProject();
    const run = await api.createRun(project, { prompt: promptFor(small) });
    await api.waitForEnd(project, run.id);
    const path = `/v1/projects/${project}/runs/${run.id}/stream`;
    const whole = await (await api.fetch("GET", path)).text();
    const frames = await (await api.stream(project, run.id)).toEnd();
    expectWhole(frames);
    const records = whole.split("\n\n").slice(0, -1);
    expect(records).toHaveLength(frames.length);
    for (let after = 0; after <= frames.length; after += 1) {
      const rest = records.slice(after).map((record) => `${record}\n\n`);
      const headers = { "last-event-id": String(after) };
      expect(await (await api.fetch("GET", path, { headers })).text()).toBe(rest.join(""));
    }
  });

  it("is seen the same by a reader that was there, one that came late and one that came and went", async () => {
    const project = await api.createProject();
    const { runId, stream } = await api.streamRun(project, { prompt: promptFor(slow) });
    const seen: Frame[] = [];
    const hop = async (): Promise<void> => {
      for (;;) {
        const reader = await api.stream(project, runId, { lastEventId: seen.length });
        for (let i = 0; i < 7; i += 1) {
          const frame = await reader.next();
          if (!frame) return;
          seen.push(frame);
        }
        reader.leave();
      }
    };
    const [live] = await Promise.all([stream.toEnd(), hop()]);
    expectWhole(live);
    expect(seen).toEqual(live);
    expect(await (await api.stream(project, runId)).toEnd()).toEqual(live);
  });
});

describe("a project", () => {
  it("keeps its files and its conversation from run to run", async () => {
    const project = await api.createProject();
    const first = await api.createRun(project, { prompt: promptFor(small, "the first") });
    const second = await api.createMessage(
      project,
      promptFor({ build: [{ text: "Second answer." }] }, "the second"),
    );
    expect(second).toMatchObject({ runIndex: 2, parentRunId: first.id, writable: true });
    const end = await api.waitForEnd(project, second.id);
    expect(end).toMatchObject({ status: "completed", output: "Second answer." });
    expect((await api.run(project, first.id)).status).toBe("completed");
    const files = await unzip(await api.download(project, second.id));
    expect(files.get("notes/hello.txt")?.toString()).toBe("hello");
  });

  it("shares nothing with another", async () => {
    const [one, other] = [await api.createProject(), await api.createProject()];
    const run = await api.createRun(one, { prompt: promptFor(small) });
    await api.waitForEnd(one, run.id);
    const next = await api.createRun(other, { prompt: promptFor({ build: [{ text: "Hi." }] }) });
    await api.waitForEnd(other, next.id);
    expect((await unzip(await api.download(other, next.id))).has("notes/hello.txt")).toBe(false);
  });
});

const small = {
  build: [
    {
      toolCalls: [
        { name: "write_file", arguments: { path: "notes/hello.txt", content: "hello" } },
        { name: "run_command", arguments: { command: "echo out; echo err >&2; exit 3" } },
        { name: "read_file", arguments: { path: "../../etc/passwd" } },
      ],
    },
    { text: "First answer." },
  ],
};

const slow = {
  build: [
    { text: "word ".repeat(40), tokenDelayMs: 10 },
    {
      toolCalls: [{ name: "run_command", arguments: { command: "seq 1 20; sleep 1; seq 21 40" } }],
    },
    { text: "Done at last." },
  ],
};

/** gpt-5 as seeded, per 1000 tokens: 0.01 in, 0.001 cached in, 0.03 out. Cached input is part of the input. */
function expectPrice({ usage, cost }: v1.RunSummary): void {
  const cached = usage?.cachedInputTokens ?? 0;
  const fresh = (usage?.inputTokens ?? 0) - cached;
  const expected = (fresh * 0.01 + cached * 0.001 + (usage?.outputTokens ?? 0) * 0.03) / 1000;
  expect(cached).toBeGreaterThan(0);
  expect(cost?.estimatedUsd).toBeCloseTo(expected, 8);
  expect(cost?.currency).toBe("USD");
}

describe("a run's trace", () => {
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  const caller = "00f067aa0ba902b7";

  it("is its creator's, with every model call and every tool, and nothing of what they said", async () => {
    const project = await api.createProject();
    const created = await api.request("POST", `/v1/projects/${project}/runs`, {
      body: { prompt: promptFor(small, "confide") },
      headers: { "idempotency-key": "traced", traceparent: `00-${traceId}-${caller}-01` },
    });
    expect(created.status).toBe(200);
    const attempt = await collector.untilSpan(traceId, "attempt");
    expect(attempt).toMatchObject({
      service: "millrace-runner",
      parentSpanId: caller,
      attributes: {
        "millrace.project.id": project,
        "millrace.attempt": 1,
        "millrace.outcome": "succeeded",
      },
      status: { code: 0 },
    });
    const spans = collector.spansOf(traceId);
    const childrenOf = (of: { readonly spanId: string } | undefined) =>
      spans.filter(({ parentSpanId }) => parentSpanId === of?.spanId);
    const named = (name: string) => spans.find((span) => span.name === name);
    expect(childrenOf(attempt).map(({ name }) => name)).toEqual([
      "workspace",
      "invoke_agent plan",
      "invoke_agent build",
      "commit",
      "archive",
    ]);
    const inBuild = childrenOf(named("invoke_agent build"));
    expect(inBuild.map(({ name }) => name)).toContain("execute_tool write_file");
    expect(named("chat gpt-5")?.attributes).toMatchObject({
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "gpt-5",
      "server.address": "127.0.0.1",
    });
    const last = inBuild.findLast(({ name }) => name === "chat gpt-5");
    expect(last?.attributes["gen_ai.usage.output_tokens"]).toBeGreaterThan(0);
    const all = new Set([caller, ...spans.map(({ spanId }) => spanId)]);
    expect(spans.filter(({ parentSpanId }) => !all.has(parentSpanId ?? ""))).toEqual([]);
    for (const unsaid of ["confide", "hello", "sk-test-of-nobody", "collector-secret"]) {
      expect(collector.text).not.toContain(unsaid);
    }
  });

  it("is made of the run's id where its creator has none", async () => {
    const project = await api.createProject();
    const { id: runId } = await api.createRun(project, { prompt: promptFor(small) });
    const own = runId.replaceAll("-", "");
    const attempt = await collector.untilSpan(own, "attempt");
    expect(attempt).toMatchObject({
      parentSpanId: own.slice(16),
      attributes: { "millrace.run.id": runId },
    });
  });
});
