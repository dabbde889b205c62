import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { RunnerEvent } from "@millrace/contracts";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { makeLogger } from "../log.ts";
import { usePlatform, type ScriptedPlatform } from "../testing/scripted-platform.ts";
import { AttemptFenced, CancelRequested, DrainRequested, LeaseLost } from "./attempt.ts";
import { claimAttempt } from "./claim-attempt.ts";
import type { LiveAttempt } from "./live-attempt.ts";

const log = makeLogger({ secrets: [], write: () => undefined });
const runnerId = "0195d3a0-0000-4000-8000-000000000001";
const eventually = { timeout: 15_000, interval: 10 };

const note = (value: string): RunnerEvent => ({ type: "custom", data: { name: "n", value } });
const delta = (text: string): RunnerEvent => ({
  type: "text.delta",
  data: { messageId: "m", text },
});
const values = (platform: ScriptedPlatform): readonly unknown[] =>
  platform.events.map((event) => (event.type === "custom" ? event.data.value : event.type));

async function claim(platform: ScriptedPlatform): Promise<LiveAttempt | undefined> {
  const claimed = await claimAttempt({
    offer: { runId: platform.runId, attempt: 1, token: platform.token },
    runnerId,
    edgeUrl: platform.url,
    log,
    signal: new AbortController().signal,
  });
  if (claimed) onTestFinished(() => claimed.attempt.close());
  return claimed?.attempt;
}

async function mustClaim(platform: ScriptedPlatform): Promise<LiveAttempt> {
  const attempt = await claim(platform);
  if (!attempt) throw new Error("the claim was refused");
  return attempt;
}

describe("claim", () => {
  it("brings the steps of earlier attempts, blobs included", async () => {
    const platform = await usePlatform(onTestFinished);
    const large = JSON.stringify({ large: true });
    const sha256 = createHash("sha256").update(large).digest("hex");
    platform.blobs.set(sha256, Buffer.from(large));
    platform.steps = [
      { n: 1, body: '{"a":1}' },
      { n: 2, body: JSON.stringify({ $blob: sha256, size: large.length }) },
    ];
    const attempt = await mustClaim(platform);
    expect(attempt.steps).toEqual([{ a: 1 }, { large: true }]);
    expect(attempt.claimed.spec.prompt).toBe("do it");
    expect(platform.bearers).toEqual(["Bearer run-token-1"]);
    expect(attempt.token()).toBe("run-token-2");
    await attempt.commit([note("x")], { next: true });
    expect(platform.frames[0]?.steps).toEqual([{ n: 3, body: '{"next":true}' }]);
  });

  it("is given up when the steps cannot be read and the platform has no use for saying so", async () => {
    const platform = await usePlatform(onTestFinished);
    platform.steps = [{ n: 1, body: JSON.stringify({ $blob: "0".repeat(64), size: 1 }) }];
    platform.answerHttp = () => {
      platform.script.refuse = "fenced";
      return { status: 404, body: "" };
    };
    expect(await claim(platform)).toBeUndefined();
  });

  it("is repeated when its answer is lost", async () => {
    const platform = await usePlatform(onTestFinished);
    platform.script.loseClaimAnswers = 2;
    const attempt = await mustClaim(platform);
    expect(platform.claims).toBe(3);
    expect(attempt.holdsLease()).toBe(true);
  });

  it.each(["lease_held", "fenced", "run_over"] as const)("is forgotten on %s", async (refuse) => {
    const platform = await usePlatform(onTestFinished);
    platform.script.refuse = refuse;
    expect(await claim(platform)).toBeUndefined();
    expect(platform.said).toHaveLength(1);
  });

  it("is given up when the edge will not hear it", async () => {
    const platform = await usePlatform(onTestFinished);
    platform.script.deny = 401;
    expect(await claim(platform)).toBeUndefined();
  });

  it("carries a pending cancel", async () => {
    const platform = await usePlatform(onTestFinished);
    platform.script.cancel = true;
    const attempt = await mustClaim(platform);
    expect(attempt.signal.reason).toBeInstanceOf(CancelRequested);
    await vi.waitFor(
      () => expect(platform.said).toContainEqual({ type: "cancel_ack" }),
      eventually,
    );
    await attempt.finish({ kind: "cancelled" });
    expect(platform.outcome).toEqual({ kind: "cancelled" });
  });
});

describe("frames", () => {
  it("keep their order and are durable when commit resolves", async () => {
    const platform = await usePlatform(onTestFinished);
    const attempt = await mustClaim(platform);
    attempt.emit(note("a"));
    attempt.emit(delta("b"));
    attempt.emit(delta("c"));
    await attempt.commit([note("d")], { step: 1 });
    expect(values(platform)).toEqual(["a", "text.delta", "text.delta", "d"]);
    attempt.emit(note("e"));
    await attempt.finish({ kind: "succeeded", output: "ok" }, [note("f")]);
    expect(values(platform).slice(-2)).toEqual(["e", "f"]);
    expect(platform.outcome).toEqual({ kind: "succeeded", output: "ok" });
    await expect(attempt.commit([note("g")])).rejects.toThrow("last frame");
  });

  it("are passed on without anybody asking when a piece was held back", async () => {
    const platform = await usePlatform(onTestFinished);
    const attempt = await mustClaim(platform);
    for (const text of ["a", "b", "c"]) attempt.emit(delta(text));
    await vi.waitFor(() => expect(platform.events.length).toBe(2), eventually);
    expect(platform.events[1]).toEqual(delta("bc"));
  });

  it("are sent again after a lost ack, and once each", async () => {
    const platform = await usePlatform(onTestFinished);
    const attempt = await mustClaim(platform);
    platform.script.loseAcks = 1;
    await attempt.commit([note("a")]);
    await attempt.commit([note("b")]);
    expect(values(platform)).toEqual(["a", "b"]);
    expect(platform.claims).toBe(2);
  });

  it("wait for an edge that is away, and nothing aborts", async () => {
    const platform = await usePlatform(onTestFinished);
    const attempt = await mustClaim(platform);
    const work = attempt.workSignal();
    await platform.stop();
    const durable = attempt.commit([note("a")]);
    attempt.emit(note("b"));
    await delay(1_000);
    await platform.start();
    await durable;
    await attempt.commit([]);
    expect(values(platform)).toEqual(["a", "b"]);
    expect(work.aborted).toBe(false);
    // The new connection used the token that the first claim brought.
    expect(platform.bearers.at(-1)).toBe("Bearer run-token-2");
  });

  it("make the engine wait above 8 MB, until acks come", async () => {
    const platform = await usePlatform(onTestFinished);
    platform.script.withholdAcks = true;
    const attempt = await mustClaim(platform);
    let room = false;
    for (let n = 0; n < 90; n += 1) attempt.emit(note("x".repeat(100_000)));
    const waiting = attempt.room().then(() => (room = true));
    await delay(100);
    expect(room).toBe(false);
    platform.script.withholdAcks = false;
    await vi.waitFor(() => expect(platform.frames.length).toBeGreaterThan(50), eventually);
    platform.ack();
    await waiting;
  });
});

describe("cancel", () => {
  it("is acknowledged, aborts the work and still lets the engine close up", async () => {
    const platform = await usePlatform(onTestFinished);
    const attempt = await mustClaim(platform);
    const work = attempt.workSignal();
    platform.say({ type: "cancel" });
    platform.say({ type: "cancel" });
    await vi.waitFor(() => expect(work.aborted).toBe(true), eventually);
    expect(work.reason).toBeInstanceOf(CancelRequested);
    await attempt.finish({ kind: "cancelled" }, [note("closed")]);
    expect(platform.said.filter((message) => message.type === "cancel_ack")).toHaveLength(2);
    expect(values(platform)).toEqual(["closed"]);
  });

  it("is heard in an ack as well", async () => {
    const platform = await usePlatform(onTestFinished);
    const attempt = await mustClaim(platform);
    platform.script.cancel = true;
    await attempt.commit([note("a")]);
    expect(attempt.signal.reason).toBeInstanceOf(CancelRequested);
  });
});

describe("lease", () => {
  it("is kept by heartbeats alone", async () => {
    const platform = await usePlatform(onTestFinished);
    platform.script.leaseMs = 2_400;
    const attempt = await mustClaim(platform);
    const work = attempt.workSignal();
    await delay(5_000);
    expect(work.aborted).toBe(false);
    expect(platform.claims).toBe(1);
    expect(platform.said.filter((message) => message.type === "heartbeat").length).toBeGreaterThan(
      2,
    );
  });

  it("ends by silence: work stops, nothing begins, and goes on when it is regained", async () => {
    const platform = await usePlatform(onTestFinished);
    platform.script.leaseMs = 1_500;
    const attempt = await mustClaim(platform);
    const work = attempt.workSignal();
    platform.script.silent = true;
    await vi.waitFor(() => expect(work.aborted).toBe(true), eventually);
    expect(work.reason).toBeInstanceOf(LeaseLost);
    expect(attempt.signal.aborted).toBe(false);
    expect(attempt.holdsLease()).toBe(false);
    expect(attempt.workSignal().aborted).toBe(true);
    let began = false;
    const ready = attempt.ready().then(() => (began = true));
    await delay(100);
    expect(began).toBe(false);
    platform.script.silent = false;
    // The claim in the silent platform's ear is lost with its connection.
    platform.breakRunSocket();
    await ready;
    expect(attempt.holdsLease()).toBe(true);
    expect(attempt.workSignal().aborted).toBe(false);
    await attempt.commit([note("a")]);
    expect(values(platform)).toEqual(["a"]);
  });

  it("reads as lost the moment a stopped process wakes up", async () => {
    const platform = await usePlatform(onTestFinished);
    platform.script.leaseMs = 500;
    const attempt = await mustClaim(platform);
    const work = attempt.workSignal();
    const said = platform.said.length;
    // Nothing runs while the process sleeps, and no timer has run when it wakes.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700);
    attempt.emit(note("late"));
    expect(attempt.holdsLease()).toBe(false);
    expect(work.reason).toBeInstanceOf(LeaseLost);
    await attempt.commit([]);
    // The platform heard a claim before it heard a frame.
    const heard = platform.said.slice(said).filter((message) => message.type !== "heartbeat");
    expect(heard[0]?.type).toBe("claim");
  });

  it("near its end lets nothing begin", async () => {
    const platform = await usePlatform(onTestFinished);
    platform.script.leaseMs = 6_000;
    const attempt = await mustClaim(platform);
    platform.script.silent = true;
    await delay(5_200);
    expect(attempt.holdsLease()).toBe(true);
    let began = false;
    void attempt.ready().then(() => (began = true));
    await delay(0);
    expect(began).toBe(false);
  });
});

describe("the end", () => {
  it("comes with a fence, for everything that waits", async () => {
    const platform = await usePlatform(onTestFinished);
    const attempt = await mustClaim(platform);
    const work = attempt.workSignal();
    platform.script.refuse = "fenced";
    await expect(attempt.commit([note("a")])).rejects.toBeInstanceOf(AttemptFenced);
    expect(attempt.signal.reason).toBeInstanceOf(AttemptFenced);
    expect(work.reason).toBeInstanceOf(AttemptFenced);
    expect(attempt.holdsLease()).toBe(false);
    await expect(attempt.ready()).rejects.toBeInstanceOf(AttemptFenced);
    await expect(attempt.room()).rejects.toBeInstanceOf(AttemptFenced);
    await expect(attempt.finish({ kind: "cancelled" })).rejects.toBeInstanceOf(AttemptFenced);
    expect(platform.frames).toEqual([]);
  });

  it("of a run whose last ack was lost is the end all the same", async () => {
    const platform = await usePlatform(onTestFinished);
    const attempt = await mustClaim(platform);
    platform.script.loseAcks = 1;
    const finished = attempt.finish({ kind: "succeeded", output: "ok" });
    await vi.waitFor(() => expect(platform.outcome).toBeDefined(), eventually);
    platform.script.refuse = "run_over";
    await finished;
  });

  it("does not abort what comes after it", async () => {
    const platform = await usePlatform(onTestFinished);
    platform.script.leaseMs = 300;
    const attempt = await mustClaim(platform);
    await attempt.finish({ kind: "succeeded", output: "ok" });
    const late = attempt.workSignal();
    await delay(500);
    expect(late.aborted).toBe(false);
    expect(attempt.holdsLease()).toBe(false);
  });

  it("of the runner aborts with a reason of its own", async () => {
    const platform = await usePlatform(onTestFinished);
    const attempt = await mustClaim(platform);
    attempt.drain();
    expect(attempt.signal.reason).toBeInstanceOf(DrainRequested);
    await expect(attempt.ready()).rejects.toBeInstanceOf(DrainRequested);
    await attempt.finish({ kind: "released", reason: "drain" });
    expect(platform.outcome).toEqual({ kind: "released", reason: "drain" });
  });
});
