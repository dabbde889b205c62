import { SessionRun, SessionToken, sessionPaths } from "@millrace/contracts";
import { describe, expect, it, vi } from "vitest";
import { ask, askJson, makeProject, makeRun } from "../../testing/api.ts";
import {
  askAsPool,
  makePool,
  makeSessionRun,
  ScriptedOperator,
  type TestPool,
} from "../../testing/scripted-operator.ts";
import { ScriptedAttempt, ScriptedRunner } from "../../testing/scripted-runner.ts";

const waitMs = 30_000;

interface WarmPlace {
  readonly podName: string;
  readonly namespace?: string;
  readonly owners?: string[];
}

async function warmTokenOf(pool: TestPool, place: WarmPlace): Promise<string> {
  const body = { namespace: "team-a", owners: [], ...place };
  const response = await askAsPool(pool, sessionPaths.warmToken(pool.pool), "POST", body);
  return SessionToken.parse(await response.json()).token;
}

/** The runner of an idle pod, connected with that pod's own token. */
async function joinWarm(pool: TestPool, place: WarmPlace): Promise<ScriptedRunner> {
  const token = await warmTokenOf(pool, place);
  const runner = await ScriptedRunner.join(1, { ...pool, token });
  await runner.welcome;
  return runner;
}

const newSession = () => ({ uid: crypto.randomUUID(), namespace: "team-a", name: "s" });

async function readRun({ pool, token }: TestPool, runId: string): Promise<SessionRun> {
  const response = await askAsPool({ token }, sessionPaths.run(pool, runId));
  return SessionRun.parse(await response.json());
}

describe("a warm runner", () => {
  it("is offered the run, and its pod is adopted", async () => {
    const pool = await makePool();
    const operator = await ScriptedOperator.join(pool);
    const warm = await ScriptedRunner.join(1, { ...pool, kind: "warm", podName: "warm-1" });
    await vi.waitFor(async () => {
      const { body } = await askJson("/v1/pools?limit=500");
      const seen = body.data.find(({ name }: { name: string }) => name === pool.pool);
      expect(seen.runners).toMatchObject({ connected: 1, warm: 1 });
    }, waitMs);
    const project = await makeProject();
    const { body } = await makeRun(project, { prompt: "x", pool: pool.pool });
    const runId: string = body.data.id;
    await warm.take(runId);
    const start = await operator.heard("session.start");
    expect(start).toMatchObject({ runId, warm: { runnerId: warm.runnerId, podName: "warm-1" } });
    expect(start.spec).toMatchObject({ session: null, workspaceBackend: "cluster" });
  });

  it("with a token of its own takes one run of its namespace, and nothing after it", async () => {
    const pool = await makePool();
    const operator = await ScriptedOperator.join(pool);
    const warm = await joinWarm(pool, { podName: "warm-1", namespace: "team-a" });
    const { runId } = await makeSessionRun(pool, { session: newSession(), needsOwnPod: false });
    const attempt = await warm.take(runId);
    const start = await operator.heard("session.start");
    expect(start).toMatchObject({ runId, warm: { runnerId: warm.runnerId, podName: "warm-1" } });
    await attempt.append([], { kind: "succeeded", output: "x" });
    // What the run executes has the pod's token, too.
    const intruder = await joinWarm(pool, { podName: "warm-1", namespace: "team-a" });
    const next = await makeSessionRun(pool, { session: newSession(), needsOwnPod: false });
    const cold = await operator.heard("session.start", (told) => told.runId === next.runId);
    expect(cold.warm).toBeNull();
    expect(intruder.offersOf(next.runId)).toBe(0);
  });

  it.each([
    ["of another namespace", { namespace: "team-b" }, false],
    ["that needs a pod of its own", { namespace: "team-a" }, true],
  ])("is not offered a session %s", async (_, place, needsOwnPod) => {
    const pool = await makePool();
    const operator = await ScriptedOperator.join(pool);
    const warm = await joinWarm(pool, { podName: "warm-1", ...place });
    const { runId } = await makeSessionRun(pool, { session: newSession(), needsOwnPod });
    expect(await operator.heard("session.start")).toMatchObject({ runId, warm: null });
    expect(warm.offersOf(runId)).toBe(0);
  });

  it("is offered runs of the edge only of those whose sessions are made there", async () => {
    const pool = await makePool();
    const operator = await ScriptedOperator.join(pool);
    const other = await joinWarm(pool, { podName: "warm-1", owners: ["key:other"] });
    const project = await makeProject();
    const asked = { prompt: "x", pool: pool.pool };
    const { body: cold } = await makeRun(project, asked);
    const started = await operator.heard("session.start");
    expect(started).toMatchObject({ runId: cold.data.id, warm: null });
    const own = await joinWarm(pool, { podName: "warm-2", owners: [started.spec.owner ?? ""] });
    const { body } = await makeRun(await makeProject(), asked);
    await own.take(body.data.id);
    expect(other.offersOf(body.data.id)).toBe(0);
  });

  it("that dies before its claim leaves the run to another, and the attempt is the same", async () => {
    const pool = await makePool();
    const operator = await ScriptedOperator.join(pool);
    const first = await joinWarm(pool, { podName: "warm-1", namespace: "team-a" });
    const { runId } = await makeSessionRun(pool, { session: newSession(), needsOwnPod: false });
    await operator.heard("session.start", ({ warm }) => warm?.podName === "warm-1");
    const second = await joinWarm(pool, { podName: "warm-2", namespace: "team-a" });
    first.close();
    await second.take(runId);
    const adopted = await operator.heard("session.start", ({ warm }) => warm?.podName === "warm-2");
    expect(adopted).toMatchObject({ runId, attempt: 1 });
    expect(await readRun(pool, runId)).toMatchObject({ status: "running", failures: 0 });
  });

  it("that dies before its claim, with no other there, leaves the run to a pod of its own", async () => {
    const pool = await makePool();
    const operator = await ScriptedOperator.join(pool);
    const warm = await joinWarm(pool, { podName: "warm-1", namespace: "team-a" });
    const { runId } = await makeSessionRun(pool, { session: newSession(), needsOwnPod: false });
    await operator.heard("session.start", (told) => told.warm !== null);
    warm.close();
    const cold = await operator.heard("session.start", (told) => told.warm === null);
    expect(cold).toMatchObject({ runId, attempt: 1 });
    await ScriptedAttempt.claim(cold, crypto.randomUUID());
    expect(await readRun(pool, runId)).toMatchObject({ status: "running", failures: 0 });
  });

  it("opens its pool and nothing else with its token", async () => {
    const [pool, other] = [await makePool(), await makePool()];
    const token = await warmTokenOf(pool, { podName: "warm-1" });
    const asked = await askAsPool({ token }, sessionPaths.warmToken(pool.pool), "POST", {});
    expect(asked.status).toBe(401);
    const { runId } = await makeSessionRun(pool);
    expect((await askAsPool({ token }, sessionPaths.run(pool.pool, runId))).status).toBe(401);
    await expect(ScriptedOperator.join({ ...pool, token })).rejects.toThrow("401");
    await expect(ScriptedRunner.join(1, { ...other, token })).rejects.toThrow("404");
    await expect(ScriptedRunner.join(1, { ...pool, token: `${token}x` })).rejects.toThrow("401");
  });

  it("is not of a pool that was deleted, nor of the next one of its name", async () => {
    const pool = await makePool();
    const token = await warmTokenOf(pool, { podName: "warm-1" });
    const rejoin = () => ScriptedRunner.join(1, { ...pool, token });
    (await rejoin()).close();
    expect((await ask(`/v1/pools/${pool.pool}`, { method: "DELETE" })).status).toBe(204);
    await expect(rejoin()).rejects.toThrow("401");
    const json = { name: pool.pool, workspaceBackend: "cluster" };
    expect((await askJson("/v1/pools", { json })).status).toBe(200);
    await expect(rejoin()).rejects.toThrow("401");
  });

  it("is offered no run for the host, and a host's runner none for a cluster", async () => {
    const pool = await makePool();
    const operator = await ScriptedOperator.join(pool);
    const host = await ScriptedRunner.join(1, pool);
    const { runId } = await makeSessionRun(pool);
    expect(await operator.heard("session.start")).toMatchObject({ runId, warm: null });
    expect(host.offersOf(runId)).toBe(0);
  });
});
