import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import type { RunSpec, UploadComplete } from "@millrace/contracts";
import { describe, expect, it, vi } from "vitest";
import { objectNames } from "../platform-env.ts";
import {
  attach,
  dueOf,
  makeClock,
  readLog,
  releasedRun,
  rpcOf,
  runOf,
} from "../testing/test-run.ts";

const usage = {
  inputTokens: 1000,
  outputTokens: 500,
  totalTokens: 1500,
  cachedInputTokens: 400,
  reasoningOutputTokens: null,
};

async function finishedRun(model: string): Promise<RunSpec> {
  const spec = await releasedRun();
  const runner = await attach(spec);
  await runner.claim();
  await runner.append(
    1,
    [
      { type: "model.resolved", data: { provider: "openai", model, source: "env" } },
      { type: "usage", data: { ...usage, provider: "openai", model } },
    ],
    { outcome: { kind: "succeeded", output: "x" } },
  );
  return spec;
}

async function indexed(spec: RunSpec) {
  return env.DB.prepare("SELECT * FROM run_index WHERE run_id = ?").bind(spec.runId).first();
}

describe("the end of a run", () => {
  it("reaches the index, with its cost", async () => {
    const spec = await finishedRun("GPT-5");
    await vi.waitFor(async () => {
      expect(await indexed(spec)).toMatchObject({ status: "succeeded", input_tokens: 1000 });
    }, 10_000);
    // 600 at .01, 400 cached at .001, 500 at .03, per thousand
    const cost = { currency: "USD", estimatedUsd: 0.0214 };
    expect(await rpcOf(spec).view()).toMatchObject({ view: { cost } });
  });

  it("is told again until it was heard", async () => {
    await env.DB.exec("ALTER TABLE run_index RENAME TO run_index_away");
    const spec = await finishedRun("gpt-5");
    await vi.waitFor(async () => {
      expect(await dueOf(spec)).toContain("index");
    }, 10_000);
    await env.DB.exec("ALTER TABLE run_index_away RENAME TO run_index");
    const clock = makeClock();
    clock.advance(10 * 60_000);
    await runDurableObjectAlarm(runOf(spec));
    clock.reset();
    await vi.waitFor(async () => {
      expect(await indexed(spec)).toMatchObject({ status: "succeeded" });
      expect(await dueOf(spec)).not.toContain("index");
    }, 10_000);
  });

  it("reaches the index with its cost when the registry was away", async () => {
    const tables = ["run_index", "model_pricing"];
    for (const table of tables) await env.DB.exec(`ALTER TABLE ${table} RENAME TO ${table}_away`);
    const spec = await finishedRun("gpt-5");
    await vi.waitFor(async () => expect(await dueOf(spec)).toContain("index"), 10_000);
    for (const table of tables) await env.DB.exec(`ALTER TABLE ${table}_away RENAME TO ${table}`);
    const clock = makeClock();
    clock.advance(10 * 60_000);
    await runDurableObjectAlarm(runOf(spec));
    clock.reset();
    await vi.waitFor(async () => {
      expect(await indexed(spec)).toMatchObject({ status: "succeeded", cost_usd: 0.0214 });
    }, 10_000);
  });

  it("does not hold up the alarm when a thread does not answer", async () => {
    const spec = await releasedRun();
    const silence = Promise.withResolvers<void>();
    const thread = env.THREADS.getByName(objectNames.thread(spec.orgId, spec.projectId));
    const silent = runInDurableObject(thread, (_, state) =>
      state.blockConcurrencyWhile(() => silence.promise),
    );
    await (await attach(spec)).claim();
    const clock = makeClock();
    clock.advance(1_000);
    const late = scheduler.wait(10_000).then(() => "late");
    expect(await Promise.race([runDurableObjectAlarm(runOf(spec)), late])).toBe(true);
    clock.reset();
    silence.resolve();
    await silent;
  });

  it("has no cost when no price is known", async () => {
    const spec = await finishedRun("no-such-model");
    expect(await rpcOf(spec).view()).toMatchObject({ view: { cost: null } });
  });
});

describe("an archive", () => {
  it("may follow a cancelled run's end, is recorded once, and only under its attempt's key", async () => {
    const spec = await releasedRun();
    const run = rpcOf(spec);
    const runner = await attach(spec);
    await runner.claim();
    await run.cancel("user");
    await runner.append(1, [], { outcome: { kind: "cancelled" } });
    const before = await run.view();
    const grant = await run.grantUpload(1, "zip");
    if (!grant.ok) throw new Error(grant.code);
    expect(grant.key).toBe(`${spec.orgId}/runs/${spec.runId}/attempt-1/workspace.zip`);
    const { uploadId } = await env.ARCHIVES.createMultipartUpload(grant.key);
    await run.uploadOpened(1, grant.key, uploadId);
    expect(await dueOf(spec)).toContain(`abort:${uploadId}`);
    const zip: UploadComplete = {
      kind: "zip",
      key: grant.key,
      sizeBytes: 3,
      fileCount: 1,
      parts: [],
    };
    expect(await run.uploadStored(1, uploadId, { ...zip, key: "elsewhere" })).toMatchObject({
      ok: false,
    });
    for (const _ of [1, 2]) expect(await run.uploadStored(1, uploadId, zip)).toEqual({ ok: true });
    const after = await run.view();
    if (!before.ok || !after.ok) throw new Error("no view");
    expect(after.view.archive).toEqual({ key: grant.key, sizeBytes: 3, fileCount: 1 });
    expect(after.view.version).toBeGreaterThan(before.view.version);
    expect(await dueOf(spec)).not.toContain(`abort:${uploadId}`);
    await vi.waitFor(async () => {
      const row = await env.DB.prepare("SELECT * FROM artifacts WHERE key = ?")
        .bind(grant.key)
        .first();
      expect(row).toMatchObject({ kind: "zip", size_bytes: 3 });
    }, 10_000);
    expect((await readLog(spec)).at(-1)?.type).toBe("run.cancelled");
  });

  it("that nobody completes is aborted", async () => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    await runner.claim();
    const key = `${spec.orgId}/runs/${spec.runId}/attempt-1/workspace.zip`;
    const upload = await env.ARCHIVES.createMultipartUpload(key);
    await rpcOf(spec).uploadOpened(1, key, upload.uploadId);
    await runner.append(1, [], { outcome: { kind: "released", reason: "drain" } });
    const clock = makeClock();
    clock.advance(61_000);
    await runDurableObjectAlarm(runOf(spec));
    clock.reset();
    await vi.waitFor(async () => {
      expect(await dueOf(spec)).not.toContain(`abort:${upload.uploadId}`);
    }, 10_000);
    await expect(upload.uploadPart(1, "x")).rejects.toThrow("upload");
  });

  it("is for the current attempt only", async () => {
    const spec = await releasedRun();
    expect(await rpcOf(spec).grantUpload(1, "zip")).toMatchObject({ code: "fenced" });
    const runner = await attach(spec);
    await runner.claim();
    expect(await rpcOf(spec).grantUpload(1, "zip")).toMatchObject({ ok: true });
    expect(await rpcOf(spec).mayUse(1)).toBe(true);
    expect(await rpcOf(spec).grantUpload(2, "zip")).toMatchObject({ code: "fenced" });
    expect(await rpcOf(spec).mayUse(2)).toBe(false);
  });
});

describe("calls that come twice", () => {
  it("change nothing", async () => {
    const spec = await releasedRun();
    await rpcOf(spec).init({ ...spec, prompt: "another" });
    await rpcOf(spec).init(spec, { conversation: [], workspace: null });
    await rpcOf(spec).redispatch(1);
    await rpcOf(spec).redispatch(7);
    const answer = await rpcOf(spec).view();
    expect(answer).toMatchObject({ view: { spec: { prompt: "do it" }, attempt: 1, version: 1 } });
    expect(runOf(spec)).toBeDefined();
  });
});
