import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import { objectNames } from "../platform-env.ts";
import {
  claim,
  claimOnceReleased,
  count,
  create,
  dead,
  openThread,
  orgId,
  reportOf,
  request,
  withFaults,
  workspaceOf,
} from "../testing/test-thread.ts";
import { attach, dueOf, rpcOf } from "../testing/test-run.ts";

describe("order", () => {
  it("releases the first run at once, with nothing before it", async () => {
    const thread = await openThread();
    const run = await create(thread);
    expect(await claimOnceReleased(run)).toMatchObject({ conversation: [], workspace: null });
  });

  it("releases the next run when its predecessor is over, with what was said and made", async () => {
    const thread = await openThread();
    const first = await create(thread, { prompt: "one" });
    const second = await create(thread, { prompt: "two" });
    const third = await create(thread, { prompt: "three" });
    await thread.rpc.report(reportOf(first, { status: "running" }));
    expect(await claim(second)).toBeNull();
    const succeeded = { status: "succeeded", output: "did one", completedAt: 5000 } as const;
    await thread.rpc.report(reportOf(first, { ...succeeded, version: 1001 }, workspaceOf(first)));
    await claimOnceReleased(second);
    expect(await claim(third)).toBeNull();
    await thread.rpc.report(reportOf(second, { status: "cancelled", output: "half" }));
    expect(await claimOnceReleased(third)).toMatchObject({
      conversation: [
        { role: "user", content: "one" },
        { role: "assistant", content: "did one" },
        { role: "user", content: "two" },
      ],
      workspace: workspaceOf(first),
    });
  });

  it("passes over a waiting run that was cancelled", async () => {
    const thread = await openThread();
    const [first, second] = [await create(thread), await create(thread)];
    const third = await create(thread);
    await thread.rpc.report(reportOf(second, { status: "cancelled" }));
    expect(await claim(third)).toBeNull();
    await thread.rpc.report(reportOf(first, { status: "failed" }));
    await claimOnceReleased(third);
  });

  it("asks a predecessor that is silent, and hears that it is over", async () => {
    const thread = await openThread();
    const [first, second] = [await create(thread), await create(thread)];
    await runInDurableObject(thread.stub, (_, { storage }) => {
      storage.sql.exec("UPDATE runs SET heard_at = 0");
      storage.sql.exec("UPDATE due SET at = 0 WHERE kind = 'ask'");
    });
    const released: string[] = [];
    const over = {
      RUNS: {
        getByName: (name: string) => ({
          view: async () => ({ ok: true, ...reportOf(first, { status: "failed" }) }),
          init: async (_spec: unknown, release?: unknown) => {
            if (release !== undefined) released.push(name);
          },
        }),
      },
    };
    await withFaults(thread, over, (faulty) => faulty.alarm());
    expect(released).toEqual([objectNames.run(orgId, second.runId)]);
    expect(await thread.rpc.run(first.runId)).toMatchObject({ view: { status: "failed" } });
    expect(await count(thread, "due WHERE kind = 'ask'")).toBe(0);
  });

  it("learns by asking what a lost report would have said, the files that the run left included", async () => {
    const thread = await openThread();
    const [first, second] = [await create(thread), await create(thread)];
    const { spec } = first.view;
    const runner = await attach(spec);
    await runner.claim();
    const key = `${orgId}/runs/${first.runId}/attempt-1/workspace.bundle`;
    const tree = "b".repeat(40);
    const bundle = { key, sizeBytes: 3, tree, parts: [] };
    await rpcOf(spec).uploadStored(1, "upload", { kind: "bundle", ...bundle });
    const change = (sql: string) =>
      runInDurableObject(thread.stub, (_, { storage }) => void storage.sql.exec(sql));
    // A thread that does not know the run takes its reports and forgets them.
    await change("UPDATE runs SET run_id = 'gone' WHERE run_index = 1");
    await runner.append(1, [], { outcome: { kind: "succeeded", output: "did one" } });
    await vi.waitFor(async () => expect(await dueOf(spec)).not.toContain("report"), 10_000);
    await change(`UPDATE runs SET run_id = '${first.runId}', heard_at = 0 WHERE run_index = 1`);
    expect(await claim(second)).toBeNull();
    await change("UPDATE due SET at = 0 WHERE kind = 'ask'");
    await runDurableObjectAlarm(thread.stub);
    expect(await claimOnceReleased(second)).toMatchObject({
      conversation: [{ role: "user" }, { role: "assistant", content: "did one" }],
      workspace: { runId: first.runId, runIndex: 1, tree, bundleKey: key },
    });
  });
});

describe("faults", () => {
  it("starts a run whose process died right after the commit", async () => {
    const thread = await openThread();
    const asked = request();
    const answer = await withFaults(thread, dead, (faulty) => faulty.createRun(asked));
    expect(answer).toMatchObject({ ok: true, created: true });
    expect(await count(thread, "due WHERE kind = 'release'")).toBe(1);
    await runInDurableObject(thread.stub, (_, { storage }) => {
      storage.sql.exec("UPDATE due SET at = 0");
    });
    await evictDurableObject(thread.stub);
    expect(await runDurableObjectAlarm(thread.stub)).toBe(true);
    const run = await thread.rpc.run(asked.runId);
    if (!run) throw new Error("the run is gone");
    await claimOnceReleased(run);
    expect(await count(thread, "due WHERE kind = 'release'")).toBe(0);
  });

  it("starts it as well when the client asks again first", async () => {
    const thread = await openThread();
    const asked = request();
    await withFaults(thread, dead, (faulty) => faulty.createRun(asked));
    const again = await thread.rpc.createRun({ ...asked, runId: crypto.randomUUID() });
    expect(again).toMatchObject({ ok: true, created: false, run: { runId: asked.runId } });
    if (again.ok) await claimOnceReleased(again.run);
  });

  it("releases the next run though the process died right after the report", async () => {
    const thread = await openThread();
    const [first, second] = [await create(thread), await create(thread)];
    await withFaults(thread, dead, (faulty) =>
      faulty.report(reportOf(first, { status: "failed" })),
    );
    await runInDurableObject(thread.stub, (_, { storage }) => {
      storage.sql.exec("UPDATE due SET at = 0");
    });
    await evictDurableObject(thread.stub);
    expect(await runDurableObjectAlarm(thread.stub)).toBe(true);
    await claimOnceReleased(second);
  });

  it("tries again later and later while others cannot be reached, and its alarm never throws", async () => {
    const thread = await openThread();
    await withFaults(thread, dead, async (faulty) => {
      await faulty.createRun(request());
      await faulty.alarm();
    });
    await runInDurableObject(thread.stub, async (_, { storage }) => {
      storage.sql.exec("UPDATE due SET at = 0, tries = 20 WHERE kind = 'release'");
    });
    const before = Date.now();
    await withFaults(thread, dead, (faulty) => faulty.alarm());
    const [row] = await runInDurableObject(thread.stub, (_, { storage }) =>
      storage.sql
        .exec<{ at: number; tries: number }>("SELECT at, tries FROM due WHERE kind = 'release'")
        .toArray(),
    );
    expect(row?.tries).toBe(21);
    expect(row?.at).toBeGreaterThanOrEqual(before + 60_000);
    expect(await runInDurableObject(thread.stub, (_, state) => state.storage.getAlarm())).not.toBe(
      null,
    );
  });

  it("takes reports twice and out of order: one answer, the newest view, a late archive", async () => {
    const thread = await openThread();
    const run = await create(thread);
    const end = reportOf(run, { status: "succeeded", output: "done", version: 2000 });
    const earlier = reportOf(run, { status: "running", version: 1500 });
    for (const report of [end, end, earlier, end]) await thread.rpc.report(report);
    expect(await thread.rpc.run(run.runId)).toMatchObject({
      view: { status: "succeeded", version: 2000 },
    });
    const messages = await thread.rpc.messages(run.runId, 50, 0);
    expect(messages?.items.map(({ role, content }) => [role, content])).toEqual([
      ["user", "Do it"],
      ["assistant", "done"],
    ]);
    await thread.rpc.report({ ...end, workspace: workspaceOf(run) });
    const next = await create(thread);
    expect(await claimOnceReleased(next)).toMatchObject({ workspace: workspaceOf(run) });
  });

  it("ignores a report about a run that it does not know", async () => {
    const [one, two] = [await openThread(), await openThread()];
    const run = await create(one);
    await two.rpc.report(reportOf(run, { status: "failed" }));
    expect(await count(two, "runs")).toBe(0);
  });
});
