import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { logPrefix } from "@millrace/durable-objects";
import { ask, askJson, framesOf, makeProject, makeRun } from "./testing/api.ts";
import { ScriptedRunner } from "./testing/scripted-runner.ts";

const orgId = "00000000-0000-7000-8000-000000000001";

const line = (text: string) => `text.delta\t{"messageId":"m","text":"${text}"}\n`;

/** Three objects of two events each, of which the registry knows the last ones: as retention leaves it when it dies half-way. */
async function storePruned(kept: number) {
  // No uuid v7, so it may be of any age.
  const runId = crypto.randomUUID();
  const prefix = logPrefix({ orgId, runId });
  const parts = [];
  for (const first of [1, 3, 5]) {
    const body = `${first} 1000\n${line("a")}${line("b")}\n`;
    const sha256 = `part-${first}`;
    if (first > 6 - 2 * kept) await env.ARCHIVES.put(prefix + sha256, body);
    parts.push({
      sha256,
      first,
      last: first + 1,
      size: body.length,
      blocks: [{ first, offset: 0 }],
    });
  }
  const manifest = {
    tail: 6,
    at: 1_000,
    parts: parts.slice(parts.length - kept),
    snapshotSha256: "snapshot",
  };
  await env.DB.prepare(
    "INSERT INTO run_logs (run_id, org_id, project_id, ended_at, manifest) VALUES (?, ?, 'p', 0, ?)",
  )
    .bind(runId, orgId, JSON.stringify(manifest))
    .run();
  return { runId, path: `/v1/streams/runs/${runId}`, parts, prefix };
}

describe("a log of which a part is gone", () => {
  it("is read from its first event that is left; before it, readers are told where that is", async () => {
    const { runId, path } = await storePruned(2);
    const all = await askJson(`${path}?offset=${"0".repeat(16)}_${"2".padStart(16, "0")}`);
    expect(all.status).toBe(200);
    expect(all.body.map(({ seq }: { readonly seq: number }) => seq)).toEqual([3, 4, 5, 6]);
    for (const offset of ["-1", `${"0".repeat(16)}_${"1".padStart(16, "0")}`]) {
      for (const live of ["", "&live=sse", "&live=long-poll"]) {
        const gone = await askJson(`${path}?offset=${offset}${live}`);
        expect(gone.status).toBe(410);
        expect(gone.body.error.details).toEqual({
          earliest: 3,
          snapshot: `/v1/projects/p/runs/${runId}/snapshot`,
        });
      }
    }
  });

  it("and of which an object goes while it is read, ends there with an error that says so", async () => {
    const { path, prefix } = await storePruned(3);
    await env.ARCHIVES.delete(`${prefix}part-1`);
    const gone = await askJson(path);
    expect([gone.status, gone.body.code]).toEqual([410, "gone"]);
  });
});

/** As if its ten minutes were over. */
async function archiveNow(runId: string): Promise<void> {
  const run = env.RUNS.getByName(`${orgId}/${runId}`);
  const count = (query: string) =>
    runInDurableObject(run, (_, { storage }) => Number(storage.sql.exec(query).one()["n"]));
  await runInDurableObject(run, (_, { storage }) => {
    storage.sql.exec("UPDATE due SET at = 0 WHERE what = 'archive'");
  });
  await runDurableObjectAlarm(run);
  const rows = "SELECT count(*) AS n FROM log";
  await vi.waitFor(async () => expect(await count(rows)).toBe(0), 20_000);
}

it("is looked for at its object when the registry is away", async () => {
  await env.DB.exec("ALTER TABLE run_logs RENAME TO run_logs_away");
  const unknown = await askJson(`/v1/streams/runs/${crypto.randomUUID()}`);
  await env.DB.exec("ALTER TABLE run_logs_away RENAME TO run_logs");
  expect(unknown.status).toBe(404);
});

describe("a log that moves", () => {
  it("is read from R2 at once, also before the registry knows of it", async () => {
    const runner = await ScriptedRunner.join();
    const project = await makeProject();
    const created = await makeRun(project);
    const runId = created.body.data.id;
    const attempt = await runner.take(runId);
    const text = { type: "text.delta", data: { messageId: "m", text: "x" } } as const;
    await attempt.append([text, text], { kind: "succeeded", output: "x" });
    const streamPath = `${project.path}/runs/${runId}/stream`;
    const before = await (await ask(streamPath)).text();
    expect(framesOf(before).length).toBeGreaterThan(3);
    const snapshot = await askJson(`${project.path}/runs/${runId}/snapshot`);
    await archiveNow(runId);
    expect(await (await ask(streamPath)).text()).toBe(before);
    const after = await askJson(`${project.path}/runs/${runId}/snapshot`);
    expect(after.body.data).toEqual(snapshot.body.data);
  });
});
