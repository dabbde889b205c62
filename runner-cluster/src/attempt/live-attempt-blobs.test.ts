import type { RunnerEvent } from "@millrace/contracts";
import { describe, expect, it, onTestFinished } from "vitest";
import { makeLogger } from "../log.ts";
import { usePlatform, type ScriptedPlatform } from "../testing/scripted-platform.ts";
import { AttemptFenced } from "./attempt.ts";
import { claimAttempt } from "./claim-attempt.ts";
import type { LiveAttempt } from "./live-attempt.ts";

const note = (value: string): RunnerEvent => ({ type: "custom", data: { name: "n", value } });
const values = (platform: ScriptedPlatform): readonly unknown[] =>
  platform.events.map((event) => (event.type === "custom" ? event.data.value : event.type));

async function mustClaim(platform: ScriptedPlatform): Promise<LiveAttempt> {
  const claimed = await claimAttempt({
    offer: { runId: platform.runId, attempt: 1, token: platform.token },
    runnerId: "0195d3a0-0000-4000-8000-000000000001",
    edgeUrl: platform.url,
    log: makeLogger({ secrets: [], write: () => undefined }),
    signal: new AbortController().signal,
  });
  if (!claimed) throw new Error("the claim was refused");
  onTestFinished(() => claimed.attempt.close());
  return claimed.attempt;
}

describe("frames of a live attempt", () => {
  it("take a large step through blob storage, and nothing overtakes it", async () => {
    const platform = await usePlatform(onTestFinished);
    const attempt = await mustClaim(platform);
    const step = { text: "x".repeat(300_000) };
    const durable = attempt.commit([note("a")], step);
    attempt.emit(note("b"));
    await durable;
    await attempt.commit([note("c")]);
    expect(values(platform)).toEqual(["a", "b", "c"]);
    const pointer = JSON.parse(platform.frames[0]?.steps?.[0]?.body ?? "{}") as { $blob: string };
    expect(platform.blobs.get(pointer.$blob)?.toString()).toBe(JSON.stringify(step));
  });

  it("take the whole of a large event through blob storage, and nothing overtakes it", async () => {
    const platform = await usePlatform(onTestFinished);
    let refusals = 1;
    platform.answerHttp = () => {
      expect(platform.frames).toEqual([]);
      refusals -= 1;
      return refusals < 0 ? undefined : { status: 503, body: "{}" };
    };
    const attempt = await mustClaim(platform);
    const whole = JSON.stringify({ name: "n", value: "😀".repeat(100_000) });
    attempt.emit({ ...note("preview"), whole });
    attempt.emit(note("b"));
    await attempt.commit([note("c")]);
    expect(values(platform)).toEqual(["preview", "b", "c"]);
    const blob = platform.events[0]?.blob;
    expect(blob?.size).toBe(Buffer.byteLength(whole));
    expect(platform.blobs.get(blob?.sha256 ?? "")?.toString()).toBe(whole);
    expect(platform.events[1]).not.toHaveProperty("blob");
  });

  it("are given up when the whole of a large event is refused", async () => {
    const platform = await usePlatform(onTestFinished);
    platform.answerHttp = () => ({ status: 403, body: "{}" });
    const attempt = await mustClaim(platform);
    attempt.emit({ ...note("preview"), whole: "{}" });
    await expect(attempt.commit([note("b")])).rejects.toBeInstanceOf(AttemptFenced);
    expect(platform.frames).toEqual([]);
  });
});
