import type { NewEvent, v1 } from "@millrace/contracts";

export const runId = "01900000-0000-7000-8000-000000000001";
export const at = Date.parse("2026-11-20T10:00:00.000Z");
const call = { callId: "c1", name: "run_command", phase: "build" } as const;
const usage = {
  inputTokens: 10,
  outputTokens: 5,
  totalTokens: 15,
  cachedInputTokens: 3,
  reasoningOutputTokens: null,
};

/** Each event beside the frame that it is. */
export const eventTable: readonly (readonly [NewEvent, v1.V1FrameType, object])[] = [
  [
    { type: "run.queued", data: { runIndex: 1, kind: "run" } },
    "status",
    { status: "queued", runIndex: 1, kind: "run" },
  ],
  [
    { type: "run.started", data: { attempt: 1, maxAttempts: 3, runnerId: "r" } },
    "status",
    { status: "running", attempt: 1, maxAttempts: 3, runnerId: "r" },
  ],
  [
    {
      type: "run.attempt_failed",
      data: { code: "provider_error", error: "x", attempt: 1, attempts: 1, maxAttempts: 3 },
    },
    "status",
    { status: "attempt_failed", error: "x", attempts: 1, maxAttempts: 3 },
  ],
  [
    { type: "run.retrying", data: { nextAttempt: 2, backoffMs: 2100 } },
    "status",
    { status: "retrying", nextAttempt: 2, backoffMs: 2100, backoffSeconds: 3 },
  ],
  [
    { type: "run.waiting", data: { reason: "question" } },
    "status",
    { status: "run.waiting", reason: "question" },
  ],
  [
    { type: "run.waiting", data: { reason: "question", question: "Which?" } },
    "status",
    { status: "run.waiting", reason: "question", question: "Which?" },
  ],
  [
    { type: "run.input", data: { n: 1, content: "This.", by: "key:k" } },
    "status",
    { status: "run.input", n: 1, content: "This.", by: "key:k" },
  ],
  [
    { type: "run.resumed", data: { reason: "input" } },
    "status",
    { status: "run.resumed", reason: "input" },
  ],
  [
    { type: "run.cancelling", data: { by: "api" } },
    "status",
    { status: "run.cancelling", by: "api" },
  ],
  [
    { type: "run.succeeded", data: { output: "done", usage, durationMs: 7 } },
    "done",
    { output: "done", usage, cachedInputTokens: 3, reasoningOutputTokens: null, durationMs: 7 },
  ],
  [
    {
      type: "run.failed",
      data: {
        code: "no_runner",
        error: "y",
        attempts: 3,
        maxAttempts: 3,
        usage: null,
        durationMs: 0,
      },
    },
    "error",
    { code: "no_runner", error: "y", attempts: 3, maxAttempts: 3 },
  ],
  [
    { type: "run.cancelled", data: { forced: true, stopped: false } },
    "status",
    { status: "cancelled", forced: true, stopped: false },
  ],
  [
    { type: "run.phase", data: { phase: "plan", state: "started" } },
    "status",
    { status: "phase_started", runId, phase: "plan" },
  ],
  [
    { type: "run.phase", data: { phase: "plan", state: "completed" } },
    "status",
    { status: "phase_completed", runId, phase: "plan" },
  ],
  [
    { type: "run.phase", data: { phase: "build", state: "transition", from: "plan" } },
    "status",
    { status: "phase_transition", runId, from: "plan", to: "build" },
  ],
  [
    { type: "run.plan", data: { phase: "plan", summary: "s", todos: [{ id: "1", title: "t" }] } },
    "status",
    { status: "plan_ready", runId, phase: "plan", summary: "s", todos: [{ id: "1", title: "t" }] },
  ],
  [
    { type: "text.started", data: { messageId: "m", phase: "plan" } },
    "status",
    { status: "text.started", messageId: "m", phase: "plan" },
  ],
  [{ type: "text.delta", data: { messageId: "m", text: "hello" } }, "token", { token: "hello" }],
  [
    { type: "text.finished", data: { messageId: "m" } },
    "status",
    { status: "text.finished", messageId: "m" },
  ],
  [
    { type: "reasoning.started", data: { messageId: "m", phase: "plan" } },
    "status",
    { status: "reasoning.started", messageId: "m" },
  ],
  [
    { type: "reasoning.delta", data: { messageId: "m", text: "hm" } },
    "status",
    { status: "reasoning.delta", messageId: "m", text: "hm" },
  ],
  [
    { type: "reasoning.finished", data: { messageId: "m", interrupted: true } },
    "status",
    { status: "reasoning.finished", messageId: "m", interrupted: true },
  ],
  [
    { type: "tool.started", data: { ...call, input: { command: "ls" } } },
    "tool",
    {
      phase: "start",
      runPhase: "build",
      tool: "run_command",
      callId: "c1",
      input: { command: "ls" },
    },
  ],
  [
    { type: "tool.output", data: { ...call, cmd: "ls", stream: "stdout", chunk: "a\n" } },
    "tool",
    {
      phase: "stream",
      runPhase: "build",
      tool: "run_command",
      callId: "c1",
      cmd: "ls",
      stream: "stdout",
      internal: false,
      chunk: "a\n",
    },
  ],
  [
    { type: "tool.finished", data: { ...call, ok: true, output: { exitCode: 2 }, durationMs: 4 } },
    "tool",
    { phase: "end", runPhase: "build", callId: "c1", output: { exitCode: 2 }, durationMs: 4 },
  ],
  [
    {
      type: "tool.finished",
      data: { ...call, ok: false, error: { code: "interrupted", message: "cut" }, durationMs: 4 },
    },
    "tool",
    { phase: "error", runPhase: "build", callId: "c1", error: "cut", code: "interrupted" },
  ],
  [
    {
      type: "file.changed",
      data: { callId: "c1", op: "write", path: "a", phase: "build", size: 3 },
    },
    "file_op",
    { callId: "c1", op: "write", path: "a", phase: "build", sizeChars: 3 },
  ],
  [
    {
      type: "file.read",
      data: { callId: "c1", op: "grep", path: "", phase: "plan", pattern: "x", matchCount: 1 },
    },
    "file_op",
    { callId: "c1", op: "grep", path: "", phase: "plan", pattern: "x", matchCount: 1 },
  ],
  [
    { type: "model.resolved", data: { provider: "openai", model: "gpt-5", source: "env" } },
    "status",
    { status: "model_resolved", provider: "openai", model: "gpt-5", source: "env" },
  ],
  [
    { type: "usage", data: { ...usage, provider: "openai", model: "gpt-5" } },
    "status",
    { status: "usage", ...usage, provider: "openai" },
  ],
  [
    { type: "model.retrying", data: { error: "429", backoffMs: 5, retry: 1 } },
    "status",
    { status: "model.retrying", retry: 1 },
  ],
  [
    { type: "workspace.ready", data: { restored: false, missing: [], isolated: true } },
    "status",
    { status: "workspace.ready", restored: false, missing: [], isolated: true },
  ],
  [
    {
      type: "workspace.repo",
      data: { state: "cloning", url: "https://git.example/shop", path: "shop", branch: null },
    },
    "status",
    { status: "workspace.repo", state: "cloning", path: "shop" },
  ],
  [
    {
      type: "mcp.server",
      data: { state: "connected", server: "docs", url: "https://mcp.example/", tools: 2 },
    },
    "status",
    { status: "mcp.server", state: "connected", server: "docs", tools: 2 },
  ],
  [
    {
      type: "workspace.pushed",
      data: { outcome: "failed", url: "https://git.example/shop", path: "shop", error: "e" },
    },
    "status",
    { status: "workspace.pushed", outcome: "failed", path: "shop" },
  ],
  [
    { type: "workspace.committed", data: { outcome: "committed", commitSha: "abc" } },
    "status",
    { status: "git_commit", commitSha: "abc" },
  ],
  [
    { type: "workspace.committed", data: { outcome: "skipped", reason: "no_changes" } },
    "status",
    { status: "git_commit_skipped", reason: "no_changes" },
  ],
  [
    { type: "workspace.committed", data: { outcome: "failed", error: "e" } },
    "status",
    { status: "git_commit_error", error: "e" },
  ],
  [
    {
      type: "workspace.archived",
      data: { outcome: "stored", key: "k", sizeBytes: 1, fileCount: 2 },
    },
    "status",
    { status: "workspace_snapshot_stored", artifactPath: "k", sizeBytes: 1, fileCount: 2 },
  ],
  [
    { type: "workspace.archived", data: { outcome: "failed", error: "e" } },
    "status",
    { status: "workspace_snapshot_store_failed", error: "e" },
  ],
  [
    { type: "state.snapshot", data: { state: { a: 1 } } },
    "status",
    { status: "state.snapshot", state: { a: 1 } },
  ],
  [{ type: "state.delta", data: { delta: [] } }, "status", { status: "state.delta", delta: [] }],
  [
    { type: "checkpoint.saved", data: { step: 1, tree: null } },
    "status",
    { status: "checkpoint.saved", step: 1, tree: null },
  ],
  [
    { type: "custom", data: { name: "n", value: { status: "mine" } } },
    "status",
    { status: "custom", name: "n", value: { status: "mine" } },
  ],
];
