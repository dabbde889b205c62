import { runInDurableObject } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import {
  count,
  create,
  openThread,
  orgId,
  projectRow,
  request,
  threadOf,
  withFaults,
} from "../testing/test-thread.ts";

describe("open", () => {
  it("registers the project before it answers, and answers the same one later", async () => {
    const thread = await openThread();
    expect(await projectRow(thread)).toMatchObject({ name: "A project", latest_run_id: null });
    const again = await thread.rpc.open(orgId, thread.projectId, "Another name", 2000);
    expect(again).toEqual({
      created: false,
      project: {
        id: thread.projectId,
        name: "A project",
        latestRunId: null,
        createdAt: 1000,
        updatedAt: 1000,
      },
    });
  });

  it("registers later what the registry refused", async () => {
    const thread = threadOf("unregistered");
    const noRegistry = { DB: { prepare: () => ({ bind: () => ({}) }) } };
    await withFaults(thread, noRegistry, async (faulty) => {
      await expect(faulty.open(orgId, thread.projectId, "A project", 1000)).rejects.toBeDefined();
    });
    expect(await projectRow(thread)).toBeNull();
    await thread.rpc.open(orgId, thread.projectId, "A project", 1000);
    expect(await projectRow(thread)).toMatchObject({ name: "A project" });
  });

  it("says not_found for a project that was never opened, and makes no storage for it", async () => {
    const { stub, rpc } = threadOf("never-opened");
    expect(await rpc.project()).toEqual({ ok: false, code: "not_found" });
    expect(await rpc.createRun(request())).toEqual({ ok: false, code: "not_found" });
    expect(await rpc.runs(50, 0)).toBeNull();
    expect(await rpc.run(crypto.randomUUID())).toBeNull();
    const tables = await runInDurableObject(stub, (_, { storage }) =>
      storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 'runs'").toArray(),
    );
    expect(tables).toEqual([]);
  });
});

describe("createRun", () => {
  it("creates one run for parallel requests under one key", async () => {
    const thread = await openThread();
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => thread.rpc.createRun(request({ idempotencyKey: "k" }))),
    );
    expect(answers.filter((answer) => answer.ok && answer.created)).toHaveLength(1);
    expect(new Set(answers.map((answer) => answer.ok && answer.run.runId)).size).toBe(1);
    expect(await thread.rpc.runs(50, 0)).toMatchObject({ total: 1 });
  });

  it("gives parallel requests the places 1 to n, each the parent of the next, the last writable", async () => {
    const thread = await openThread();
    await Promise.all(Array.from({ length: 8 }, () => create(thread)));
    const page = await thread.rpc.runs(50, 0);
    const runs = page?.items.toReversed() ?? [];
    expect(runs.map((run) => run.runIndex)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(runs.map((run) => run.parentRunId)).toEqual([
      null,
      ...runs.slice(0, -1).map((run) => run.runId),
    ]);
    expect(runs.filter((run) => run.writable)).toEqual([runs.at(-1)]);
    expect(await thread.rpc.project()).toMatchObject({
      project: { latestRunId: runs.at(-1)?.runId },
    });
  });

  it("refuses another request under the same key, and creates nothing", async () => {
    const thread = await openThread();
    await create(thread, { idempotencyKey: "k", fingerprint: "one" });
    const other = request({ idempotencyKey: "k", fingerprint: "two" });
    expect(await thread.rpc.createRun(other)).toEqual({ ok: false, code: "idempotency_mismatch" });
    expect(await count(thread, "runs")).toBe(1);
    expect(await count(thread, "messages")).toBe(1);
  });

  it("gives the same key in another thread a run of its own", async () => {
    const [one, two] = [await openThread(), await openThread()];
    const first = await create(one, { idempotencyKey: "k" });
    const second = await create(two, { idempotencyKey: "k" });
    expect(second.runId).not.toBe(first.runId);
    expect(await one.rpc.run(second.runId)).toBeNull();
    expect(await one.rpc.messages(second.runId, 50, 0)).toBeNull();
  });

  it("lists runs newest first, page by page, and the prompt as the user's message", async () => {
    const thread = await openThread();
    for (const prompt of ["one", "two", "three"]) await create(thread, { prompt });
    const page = await thread.rpc.runs(2, 1);
    expect(page?.items.map((run) => run.view.spec.prompt)).toEqual(["two", "one"]);
    expect(page?.total).toBe(3);
    const run = await create(thread, { prompt: "four", input: { a: [1] }, kind: "message" });
    expect(await thread.rpc.messages(run.runId, 50, 0)).toMatchObject({
      total: 1,
      items: [{ role: "user", content: "four", input: { a: [1] }, runId: run.runId }],
    });
  });

  it("shows the latest run in the registry soon after", async () => {
    const thread = await openThread();
    const run = await create(thread);
    await vi.waitFor(
      async () => expect(await projectRow(thread)).toMatchObject({ latest_run_id: run.runId }),
      10_000,
    );
    await vi.waitFor(async () => expect(await count(thread, "due")).toBe(0), 10_000);
  });
});
