import { sessionPaths } from "@millrace/contracts";
import { describe, expect, it, vi } from "vitest";
import { ask, askJson, makeProject, makeRun } from "../../testing/api.ts";
import {
  askAsPool,
  makePool,
  makeSessionRun,
  ScriptedOperator,
} from "../../testing/scripted-operator.ts";
import { ScriptedRunner } from "../../testing/scripted-runner.ts";

const waitMs = 30_000;

describe("logs", () => {
  it("are kept by attempt and container, read through the run's project, and deleted", async () => {
    const pool = await makePool();
    const { runId, projectId } = await makeSessionRun(pool);
    const path = sessionPaths.log(pool.pool, runId, 1, "runner");
    const put = (text: string, to = path) =>
      ask(to, {
        method: "PUT",
        body: text,
        key: null,
        headers: { authorization: `Bearer ${pool.token}` },
      });
    await put("first");
    expect((await put("hello\nthere")).status).toBe(200);
    expect((await put("x".repeat(1024 * 1024 + 1))).status).toBe(413);
    const bad = sessionPaths.log(pool.pool, runId, 1, "Run_ner");
    expect((await put("x", bad)).status).toBe(400);
    const logs = `/v1/projects/${projectId}/runs/${runId}/logs`;
    const { body } = await askJson(logs);
    expect(body.data).toMatchObject([{ attempt: 1, container: "runner", sizeBytes: 11 }]);
    const text = await ask(body.data[0].url);
    expect(text.headers.get("content-type")).toContain("text/plain");
    expect(await text.text()).toBe("hello\nthere");
    const elsewhere = await makeProject();
    expect((await askJson(`${elsewhere.path}/runs/${runId}/logs`)).status).toBe(404);
    await askAsPool(pool, sessionPaths.logs(pool.pool, runId), "DELETE");
    expect((await askJson(logs)).body.data).toEqual([]);
    expect((await ask(body.data[0].url)).status).toBe(404);
  });
});

/** The pool as anybody sees it. */
async function seenPool({ pool }: { readonly pool: string }) {
  const { body } = await askJson("/v1/pools?limit=500");
  return body.data.find(({ name }: { name: string }) => name === pool);
}

describe("pools", () => {
  it("are listed with what is connected to them", async () => {
    const pool = await makePool();
    const operator = await ScriptedOperator.join(pool);
    operator.say({
      type: "pool.status",
      version: "1.2.4",
      leader: true,
      free: 3,
      warm: { size: 2, ready: 1 },
      sessions: { Running: 4 },
    });
    await vi.waitFor(async () => {
      const { body } = await askJson("/v1/pools?limit=1");
      expect(body.data[0]).toMatchObject({ name: "default", workspaceBackend: "host" });
      expect(await seenPool(pool)).toMatchObject({
        connected: true,
        version: "1.2.4",
        cluster: { free: 3, warm: { size: 2, ready: 1 }, sessions: { Running: 4 } },
        operators: [{ id: operator.operatorId, leader: true }],
      });
    }, waitMs);
    const runner = await ScriptedRunner.join(2, pool);
    await vi.waitFor(async () => {
      const { runners } = await seenPool(pool);
      expect(runners).toMatchObject({ connected: 1, slots: 2, free: 2, versions: ["test"] });
      expect(Date.parse(runners.lastSeenAt)).toBeGreaterThan(0);
    }, waitMs);
    runner.close();
    operator.close();
    await vi.waitFor(async () => {
      const gone = await seenPool(pool);
      expect(gone).toMatchObject({ connected: false, runners: { lastSeenAt: null } });
      expect(Date.parse(gone.lastSeenAt)).toBeGreaterThan(0);
    }, waitMs);
    const { body } = await askJson("/v1/pools?limit=1");
    expect(body.data).toHaveLength(1);
    expect(body.meta.next).toContain("offset=1");
  });

  it("are made once, deleted, and named only if they exist", async () => {
    const pool = await makePool();
    const again = await askJson("/v1/pools", { json: { name: pool.pool } });
    expect([again.status, again.body.code]).toEqual([409, "conflict"]);
    const project = await makeProject();
    const unknown = await makeRun(project, { prompt: "x", pool: "nowhere" });
    expect([unknown.status, unknown.body.code]).toEqual([400, "invalid_argument"]);
    const operator = await ScriptedOperator.join(pool);
    expect((await ask(`/v1/pools/${pool.pool}`, { method: "DELETE" })).status).toBe(204);
    expect(await operator.closed).toBe(1008);
    const gone = await askAsPool(pool, sessionPaths.runs(pool.pool), "POST", {});
    expect(gone.status).toBe(401);
  });
});
