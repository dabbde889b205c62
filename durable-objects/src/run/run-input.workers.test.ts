import { describe, expect, it } from "vitest";
import type { RunSpec } from "@millrace/contracts";
import {
  attach,
  readLog,
  readSoFar,
  releasedRun,
  rpcOf,
  type TestRunner,
} from "../testing/test-run.ts";

const asks = { kind: "awaiting", question: "Which one?", heard: 0 } as const;

const say = (spec: RunSpec, content: string | null, key: string = crypto.randomUUID()) =>
  rpcOf(spec).input({ content, by: "u", idempotencyKey: key, fingerprint: `of ${content}` });

async function begin(change: Partial<RunSpec>): Promise<readonly [RunSpec, TestRunner]> {
  const spec = await releasedRun(change);
  const runner = await attach(spec);
  await runner.claim();
  return [spec, runner];
}

describe("a run that asks", () => {
  it("waits without a runner, and gives the answer to the next attempt", async () => {
    const [spec, runner] = await begin({ interactive: true });
    const step = { n: 1, body: '{"kind":"begun"}' };
    await runner.append(1, [], { steps: [step], outcome: asks });
    expect(await rpcOf(spec).view()).toMatchObject({
      view: { status: "waiting", waiting: { reason: "question", question: "Which one?" } },
    });
    const answer = await say(spec, "the first", "k");
    expect(answer).toMatchObject({ ok: true, n: 1, created: true, view: { waiting: null } });
    const next = await attach(spec, 2);
    expect(await next.claim()).toMatchObject({
      inputs: [{ n: 1, content: "the first" }],
      failures: 0,
      stepCount: 1,
    });
    const seen = (await readSoFar(spec, "run.started")).map(({ type }) => type);
    expect(seen.slice(2)).toEqual(["run.waiting", "run.input", "run.resumed", "run.started"]);
  });

  it("takes an answer that is sent twice once, and no other under its key", async () => {
    const [spec, runner] = await begin({ interactive: true });
    await runner.append(1, [], { outcome: asks });
    const both = await Promise.all([say(spec, "a", "k"), say(spec, "a", "k")]);
    expect(both).toMatchObject([{ created: true }, { created: false }]);
    expect(await say(spec, "b", "k")).toEqual({ ok: false, code: "idempotency_mismatch" });
    expect(await say(spec, "b")).toEqual({ ok: false, code: "not_waiting" });
    await rpcOf(spec).cancel("u");
    const inputs = (await readLog(spec)).filter(({ type }) => type === "run.input");
    expect(inputs).toHaveLength(1);
    // Also after the end: whoever repeats it learns that it was taken.
    expect(await say(spec, "a", "k")).toMatchObject({ ok: true, n: 1, created: false });
  });

  it("is cancelled at once", async () => {
    const [spec, runner] = await begin({ interactive: true });
    await runner.append(1, [], { outcome: asks });
    const answer = await rpcOf(spec).cancel("u");
    expect(answer).toMatchObject({ view: { status: "cancelled", waiting: null } });
    expect(await say(spec, "a")).toEqual({ ok: false, code: "run_over" });
  });
});

describe("a run that is kept open", () => {
  it("goes on at once with what was said while its turn ended", async () => {
    const [spec, runner] = await begin({ keepOpen: true });
    expect(await say(spec, "more")).toMatchObject({ ok: true, n: 1 });
    await runner.append(1, [], { outcome: { ...asks, question: null } });
    const next = await attach(spec, 2);
    expect(await next.claim()).toMatchObject({ inputs: [{ n: 1, content: "more" }] });
    await say(spec, null);
    expect(await say(spec, "too late")).toEqual({ ok: false, code: "finishing" });
    await next.append(1, [], { outcome: { kind: "awaiting", question: null, heard: 1 } });
    const last = await attach(spec, 3);
    expect(await last.claim()).toMatchObject({ inputs: [{ n: 2, content: null }] });
    await last.append(1, [], { outcome: { kind: "succeeded", output: "done" } });
    const log = await readLog(spec);
    expect(log.map(({ type }) => type)).not.toContain("run.waiting");
    expect(log.at(-1)).toMatchObject({ type: "run.succeeded" });
  });
});
