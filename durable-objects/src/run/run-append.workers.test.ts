import { describe, expect, it, vi } from "vitest";
import { attach, follow, readLog, readSoFar, releasedRun, rpcOf } from "../testing/test-run.ts";

const delta = (text: string) => ({ type: "text.delta", data: { messageId: "m", text } }) as const;
const done = { outcome: { kind: "succeeded", output: "done" } } as const;

describe("an append", () => {
  it("is written once, however often it is sent", async () => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    await runner.claim();
    for (const _ of [1, 2, 3]) runner.send({ type: "frame", producerSeq: 1, events: [delta("a")] });
    await runner.append(2, [delta("b")], done);
    const log = await readLog(spec);
    expect(log.filter(({ type }) => type === "text.delta")).toHaveLength(2);
  });

  it("is refused after a gap, with the number that is expected", async () => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    await runner.claim();
    await runner.append(1, [delta("a")]);
    runner.send({ type: "frame", producerSeq: 3, events: [delta("c")] });
    expect(await runner.next("refused")).toMatchObject({ code: "out_of_order", expected: 2 });
    await runner.append(2, [delta("b")]);
  });

  it("shares its transaction with others of its tick: dense numbers, one cumulative ack", async () => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    await runner.claim();
    const frames = 500;
    for (let producerSeq = 1; producerSeq <= frames; producerSeq += 1) {
      runner.send({ type: "frame", producerSeq, events: [delta(String(producerSeq))] });
    }
    await runner.append(frames + 1, [], done);
    const log = await readLog(spec);
    const texts = log.filter(({ type }) => type === "text.delta").map(({ data }) => data["text"]);
    expect(texts).toEqual(Array.from({ length: frames }, (_, i) => String(i + 1)));
    expect(runner.heard.filter(({ type }) => type === "ack").length).toBeLessThan(frames / 2);
  });

  it("is acked again when its outcome has ended the run", async () => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    await runner.claim();
    await runner.append(1, [], done);
    const acks = runner.heard.length;
    runner.send({ type: "frame", producerSeq: 1, events: [], ...done });
    await vi.waitFor(() => expect(runner.heard.length).toBeGreaterThan(acks), 5_000);
    expect(runner.heard.at(-1)).toMatchObject({ type: "ack", producerSeq: 1 });
    runner.send({ type: "frame", producerSeq: 2, events: [delta("late")] });
    expect(await runner.next("refused")).toMatchObject({ code: "run_over" });
    expect((await readLog(spec)).at(-1)?.type).toBe("run.succeeded");
  });

  it("that is too large for the log is refused and leaves no part behind", async () => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    await runner.claim();
    const events = [delta("small"), delta("x".repeat(300_000))];
    runner.send({ type: "frame", producerSeq: 1, events });
    expect(await runner.next("refused")).toMatchObject({ code: "invalid" });
    expect(await rpcOf(spec).view()).toMatchObject({ view: { version: 2 } });
  });

  // A commit that fails is sent again with the next socket, for ever: it must not come to that.
  it.for(["succeeded", "failed"] as const)(
    "whose outcome, %s, is too large is refused",
    async (kind) => {
      const spec = await releasedRun();
      const runner = await attach(spec);
      await runner.claim();
      const text = "x".repeat(2_500_000);
      const outcome =
        kind === "succeeded"
          ? { kind, output: text }
          : ({ kind, code: "provider_error", error: text, retryable: true } as const);
      runner.send({ type: "frame", producerSeq: 1, events: [], outcome });
      expect(await runner.next("refused")).toMatchObject({ code: "invalid" });
    },
  );

  it("adds up usage and remembers the model", async () => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    await runner.claim();
    const tokens = { inputTokens: 10, outputTokens: 5, totalTokens: 15 };
    const usage = { ...tokens, cachedInputTokens: null, reasoningOutputTokens: 2 };
    const data = { ...usage, provider: "openai", model: "gpt-5" };
    await runner.append(1, [
      { type: "model.resolved", data: { provider: "openai", model: "gpt-5", source: "env" } },
      { type: "usage", data },
      { type: "usage", data },
    ]);
    expect(await rpcOf(spec).view()).toMatchObject({
      view: {
        provider: "openai",
        modelSource: "env",
        usage: { inputTokens: 20, cachedInputTokens: null, reasoningOutputTokens: 4 },
        cost: null,
      },
    });
  });
});

describe("a heartbeat", () => {
  it("is answered with its id", async () => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    await runner.claim();
    runner.send({ type: "heartbeat", id: 7 });
    expect(await runner.next("ack")).toMatchObject({ heartbeat: 7, producerSeq: 0 });
  });
});

describe("an attempt that fails", () => {
  it("is tried again after a backoff, and what it left open is closed first", async () => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    await runner.claim();
    const call = { callId: "c1", name: "run_command", phase: "build" } as const;
    await runner.append(1, [
      { type: "text.started", data: { messageId: "m", phase: "build" } },
      { type: "tool.started", data: { ...call, input: {} } },
    ]);
    const failure = { kind: "failed", code: "runner_error", error: "x", retryable: true } as const;
    await runner.append(2, [], { outcome: failure });
    const log = await readSoFar(spec, "run.retrying");
    expect(log.slice(4).map(({ type, data }) => [type, data])).toMatchObject([
      ["text.finished", { messageId: "m", interrupted: true }],
      ["tool.finished", { ...call, ok: false, error: { code: "interrupted" } }],
      ["run.attempt_failed", { attempt: 1, attempts: 1, maxAttempts: 3 }],
      ["run.retrying", { nextAttempt: 2 }],
    ]);
    runner.send({ type: "frame", producerSeq: 3, events: [delta("zombie")] });
    expect(await runner.next("refused")).toMatchObject({ code: "fenced" });
    const next = await nextAttempt(spec, 2);
    expect(await next.claim()).toMatchObject({ failures: 1, interruptedCalls: ["c1"] });
    const started = (await follow(spec, { after: 8 })).until("run.started");
    expect((await started).data).toMatchObject({ attempt: 2, supersedes: { from: 3, to: 6 } });
  });

  it("fails the run at once when a retry cannot help", async () => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    await runner.claim();
    const failure = { kind: "failed", code: "provider_rejected", error: "x" } as const;
    await runner.append(1, [], { outcome: { ...failure, retryable: false } });
    const log = await readLog(spec);
    expect(log.at(-1)).toMatchObject({
      type: "run.failed",
      data: { code: "provider_rejected", attempts: 1, maxAttempts: 3, usage: null },
    });
  });

  it("that was released is followed at once and costs nothing of the budget", async () => {
    const spec = await releasedRun({ maxAttempts: 1 });
    const runner = await attach(spec);
    await runner.claim();
    await runner.append(1, [], { steps: [{ n: 1, body: "{}" }] });
    await runner.append(2, [], { outcome: { kind: "released", reason: "drain" } });
    const next = await attach(spec, 2);
    expect(await next.claim()).toMatchObject({ failures: 0, stepCount: 1 });
  });
});

/** Waits for the backoff, as the alarm does. */
async function nextAttempt(spec: Parameters<typeof attach>[0], attempt: number) {
  await vi.waitFor(
    async () => expect(await rpcOf(spec).view()).toMatchObject({ view: { attempt } }),
    { timeout: 20_000, interval: 100 },
  );
  return attach(spec, attempt);
}
