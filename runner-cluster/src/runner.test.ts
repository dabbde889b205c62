import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomUUID } from "node:crypto";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { DrainRequested } from "./attempt/attempt.ts";
import { drainBefore } from "./drain.ts";
import { makeLogger } from "./log.ts";
import { opening } from "./engine/opening.ts";
import { Runner, type RunnerOptions } from "./runner.ts";
import { ServedOrg } from "./served-org.ts";
import { usePlatform, type ScriptedPlatform } from "./testing/scripted-platform.ts";

const eventually = { timeout: 15_000, interval: 10 };
const log = makeLogger({ secrets: [], write: () => undefined });

function makeRoot(): string {
  const root = mkdtempSync(join(tmpdir(), "millrace-root-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  return root;
}

/** Works until somebody says stop, then tells what it was. */
const untilStopped: RunnerOptions["execute"] = async ({ attempt }) => {
  await new Promise((resolve) => attempt.signal.addEventListener("abort", resolve));
  const released = attempt.signal.reason instanceof DrainRequested;
  await attempt.finish(released ? { kind: "released", reason: "drain" } : { kind: "cancelled" });
};

const succeed: RunnerOptions["execute"] = ({ attempt }) =>
  attempt.finish({ kind: "succeeded", output: "ok" });

async function startRunner(
  platform: ScriptedPlatform,
  overrides: Partial<RunnerOptions> = {},
): Promise<Runner> {
  const runner = new Runner({
    runnerId: randomUUID(),
    version: "test",
    edgeUrl: platform.url,
    pool: "default",
    poolToken: () => "pool-token",
    slots: 2,
    servedOrg: new ServedOrg(makeRoot()),
    log,
    execute: untilStopped,
    ...overrides,
  });
  onTestFinished(async () => {
    runner.handBack();
    await runner.drain();
  });
  runner.start();
  await vi.waitFor(() => expect(platform.poolSaid).toHaveLength(1), eventually);
  return runner;
}

describe("Runner", () => {
  it("joins, takes an offer, executes it and says that it is free again", async () => {
    const platform = await usePlatform(onTestFinished);
    await startRunner(platform, { execute: succeed });
    expect(platform.poolSaid[0]).toMatchObject({ type: "hello", slots: 2, free: 2 });
    expect(platform.bearers[0]).toBe("Bearer pool-token");
    platform.offer();
    await vi.waitFor(() => expect(platform.poolSaid).toHaveLength(4), eventually);
    expect(platform.poolSaid).toContainEqual({
      type: "accept",
      runId: platform.runId,
      attempt: 1,
    });
    expect(platform.poolSaid.at(-1)).toEqual({ type: "status", free: 2 });
    expect(platform.outcome).toEqual({ kind: "succeeded", output: "ok" });
  });

  it("brings what the engine says first along with every claim", async () => {
    const platform = await usePlatform(onTestFinished);
    platform.script.loseClaimAnswers = 1;
    await startRunner(platform, { execute: succeed, opening });
    platform.offer();
    await vi.waitFor(() => expect(platform.outcome).toBeDefined(), eventually);
    const claims = platform.said.filter(({ type }) => type === "claim");
    expect(claims).toMatchObject([{ opening }, { opening }]);
  });

  it("declines what it executes already and what has no slot", async () => {
    const platform = await usePlatform(onTestFinished);
    await startRunner(platform, { slots: 1 });
    const another = randomUUID();
    platform.offer(1);
    platform.offer(1);
    platform.offer(2);
    platform.offer(1, undefined, another);
    await vi.waitFor(() => expect(platform.poolSaid).toHaveLength(7), eventually);
    const { runId } = platform;
    expect(platform.poolSaid.slice(1)).toEqual([
      { type: "accept", runId, attempt: 1 },
      { type: "status", free: 0 },
      { type: "decline", runId, attempt: 2, reason: "already_running" },
      { type: "decline", runId: another, attempt: 1, reason: "full" },
      // The first offer's own, which waits until its claim is on its way.
      { type: "accept", runId, attempt: 1 },
      { type: "status", free: 0 },
    ]);
    await vi.waitFor(() => expect(platform.claims).toBe(1), eventually);
  });

  it("serves one org only, also after a restart on the same root", async () => {
    const platform = await usePlatform(onTestFinished);
    const root = makeRoot();
    await startRunner(platform, { servedOrg: new ServedOrg(root) });
    platform.offer(1, "org-a");
    platform.offer(1, "org-b", randomUUID());
    await vi.waitFor(() => expect(platform.poolSaid).toHaveLength(4), eventually);
    expect(platform.poolSaid[1]).toMatchObject({ type: "decline", reason: "other_org" });
    expect(readFileSync(join(root, ".millrace", "org"), "utf8")).toBe("org-a\n");
    expect(new ServedOrg(root).claim("org-b")).toBe(false);
    expect(new ServedOrg(root).claim("org-a")).toBe(true);
  });

  it("forgets an offer whose claim is refused", async () => {
    const platform = await usePlatform(onTestFinished);
    const execute = vi.fn<RunnerOptions["execute"]>();
    await startRunner(platform, { execute });
    platform.script.refuse = "lease_held";
    platform.offer();
    await vi.waitFor(() => expect(platform.poolSaid).toHaveLength(4), eventually);
    expect(platform.poolSaid.at(-1)).toEqual({ type: "status", free: 2 });
    expect(execute).not.toHaveBeenCalled();
  });

  it("rejoins after the edge was away, and says what is free now", async () => {
    const platform = await usePlatform(onTestFinished);
    await startRunner(platform);
    platform.offer();
    await vi.waitFor(() => expect(platform.claims).toBe(1), eventually);
    await platform.stop();
    await platform.start();
    await vi.waitFor(
      () => expect(platform.poolSaid.at(-1)).toMatchObject({ type: "hello", slots: 2, free: 1 }),
      eventually,
    );
    await vi.waitFor(() => expect(platform.claims).toBe(2), eventually);
  });

  it.each([
    { name: "throws", execute: () => Promise.reject(new Error("secret internals")) },
    { name: "returns too early", execute: () => Promise.resolve() },
  ])("fails the attempt when the engine $name", async ({ execute }) => {
    const platform = await usePlatform(onTestFinished);
    await startRunner(platform, { execute });
    platform.offer();
    await vi.waitFor(() => expect(platform.outcome?.kind).toBe("failed"), eventually);
    expect(platform.outcome).toMatchObject({ code: "runner_error", retryable: true });
    expect(JSON.stringify(platform.outcome)).not.toContain("internals");
  });
});

describe("drain", () => {
  it("lets an attempt finish and takes no more", async () => {
    const platform = await usePlatform(onTestFinished);
    const work = Promise.withResolvers<void>();
    const runner = await startRunner(platform, {
      execute: async ({ attempt }) => {
        await work.promise;
        await attempt.finish({ kind: "succeeded", output: "ok" });
      },
    });
    platform.offer();
    await vi.waitFor(() => expect(platform.claims).toBe(1), eventually);
    const exit = drainBefore(runner, 20_000, log);
    const another = randomUUID();
    platform.offer(1, undefined, another);
    await vi.waitFor(
      () =>
        expect(platform.poolSaid).toContainEqual({
          type: "decline",
          runId: another,
          attempt: 1,
          reason: "draining",
        }),
      eventually,
    );
    work.resolve();
    expect(await exit).toBe(0);
    expect(platform.outcome?.kind).toBe("succeeded");
  });

  it("hands back what is not finished near the deadline", async () => {
    const platform = await usePlatform(onTestFinished);
    const runner = await startRunner(platform);
    platform.offer();
    await vi.waitFor(() => expect(platform.claims).toBe(1), eventually);
    expect(await drainBefore(runner, 3_000, log)).toBe(0);
    expect(platform.outcome).toEqual({ kind: "released", reason: "drain" });
  });

  it("ends at the deadline when the edge is away", async () => {
    const platform = await usePlatform(onTestFinished);
    const runner = await startRunner(platform);
    platform.offer();
    await vi.waitFor(() => expect(platform.claims).toBe(1), eventually);
    await platform.stop();
    expect(await drainBefore(runner, 600, log)).toBe(1);
    await platform.start();
  });
});
