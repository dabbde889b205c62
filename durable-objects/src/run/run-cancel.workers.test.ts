import { runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  attach,
  makeClock,
  makeSpec,
  readLog,
  releasedRun,
  rpcOf,
  runOf,
} from "../testing/test-run.ts";

let clock: ReturnType<typeof makeClock>;
beforeEach(() => {
  clock = makeClock();
});
afterEach(() => clock.reset());

const delta = { type: "text.delta", data: { messageId: "m", text: "a" } } as const;

describe("a cancel", () => {
  it("ends a run that waits for its predecessors, or for a runner, at once", async () => {
    const created = makeSpec();
    await rpcOf(created).init(created);
    for (const spec of [created, await releasedRun()]) {
      const answer = await rpcOf(spec).cancel("user");
      expect(answer).toMatchObject({ view: { status: "cancelled", cancelled: true } });
      const types = (await readLog(spec)).map(({ type }) => type);
      expect(types).toEqual(["run.queued", "run.cancelling", "run.cancelled"]);
    }
  });

  it("is pushed to the runner, repeated in every ack, and ends with the runner's word", async () => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    await runner.claim();
    const answer = await rpcOf(spec).cancel("user");
    expect(answer).toMatchObject({ view: { status: "cancelling", cancelled: true } });
    await runner.next("cancel");
    runner.send({ type: "cancel_ack" });
    expect(await runner.next("ack")).toMatchObject({ cancel: true });
    await runner.append(1, [delta]);
    const again = await attach(spec, 1, runner.runnerId);
    expect(await again.claim()).toMatchObject({ cancel: true });
    await again.append(2, [], { outcome: { kind: "cancelled" } });
    expect((await readLog(spec)).at(-1)).toMatchObject({
      type: "run.cancelled",
      data: { reported: "cancelled" },
    });
  });

  it.for([
    [{ kind: "succeeded", output: "x" }, { reported: "succeeded" }],
    [{ kind: "failed", code: "runner_error", error: "x", retryable: true }, { reported: "failed" }],
    [{ kind: "released", reason: "drain" }, { forced: true }],
  ] as const)("stands, whatever the runner reports afterwards: %o", async ([outcome, data]) => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    await runner.claim();
    await rpcOf(spec).cancel("user");
    await runner.append(1, [], { outcome });
    expect((await readLog(spec)).at(-1)).toMatchObject({ type: "run.cancelled", data });
    expect(await rpcOf(spec).view()).toMatchObject({ view: { status: "cancelled", output: null } });
  });

  it("is forced when the runner does not answer in time, and fences it", async () => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    await runner.claim();
    await runner.append(1, [{ type: "text.started", data: { messageId: "m", phase: "plan" } }]);
    await rpcOf(spec).cancel("user");
    clock.advance(30_001);
    await runDurableObjectAlarm(runOf(spec));
    expect((await readLog(spec)).slice(-2)).toMatchObject([
      { type: "text.finished", data: { interrupted: true } },
      { type: "run.cancelled", data: { forced: true, stopped: false } },
    ]);
    runner.send({ type: "frame", producerSeq: 2, events: [delta] });
    expect(await runner.next("refused")).toMatchObject({ code: "run_over" });
    expect(await rpcOf(spec).grantUpload(1, "zip")).toEqual({ ok: false, code: "run_over" });
  });

  it("changes nothing on a run that is over, and nothing when it is repeated", async () => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    await runner.claim();
    await runner.append(1, [], { outcome: { kind: "succeeded", output: "x" } });
    const answer = await rpcOf(spec).cancel("user");
    expect(answer).toMatchObject({ view: { status: "succeeded", cancelled: false } });
    expect((await readLog(spec)).at(-1)?.type).toBe("run.succeeded");
  });
});
