import {
  SessionInputAnswer,
  SessionRun,
  sessionPaths,
  type SessionReport,
} from "@millrace/contracts";
import { describe, expect, it, vi } from "vitest";
import { defaultOrg } from "../../edge-env.ts";
import { ask, askJson } from "../../testing/api.ts";
import {
  askAsPool,
  makePool,
  makeSessionRun,
  ScriptedOperator,
  type TestPool,
} from "../../testing/scripted-operator.ts";
import { ScriptedAttempt } from "../../testing/scripted-runner.ts";

const waitMs = 30_000;

async function readRun({ pool, token }: TestPool, runId: string): Promise<SessionRun> {
  const response = await askAsPool({ token }, sessionPaths.run(pool, runId));
  return SessionRun.parse(await response.json());
}

const untilStatus = (pool: TestPool, runId: string, status: SessionRun["status"]) =>
  vi.waitFor(async () => {
    const run = await readRun(pool, runId);
    expect(run.status).toBe(status);
    return run;
  }, waitMs);

function reportOf(
  { runId, attempt }: { readonly runId: string; readonly attempt: number },
  change: Partial<SessionReport> = {},
) {
  return {
    key: crypto.randomUUID(),
    runId,
    attempt,
    kind: "start_failed",
    reason: "ImagePullFailed",
    message: "no such image",
    retryable: false,
    ...change,
  } as const;
}

describe("a session that was made in the cluster", () => {
  it("has one run, under the pool's authority, however often it is asked for", async () => {
    const pool = await makePool();
    const session = { uid: crypto.randomUUID(), namespace: "team-a", name: "s" };
    const [one, two] = [
      await makeSessionRun(pool, { session }),
      await makeSessionRun(pool, { session }),
    ];
    expect(one).toMatchObject({ created: true, session, status: "queued" });
    expect(two).toMatchObject({ created: false, runId: one.runId });
    expect(one.projectId).toBe(`pool.${pool.pool}.${session.uid}`);
    const other = { prompt: "else", owner: "alice", repos: [], session };
    const body = { ...other, timeoutSeconds: null, startDeadlineSeconds: null };
    const response = await askAsPool(pool, sessionPaths.runs(pool.pool), "POST", body);
    expect(response.status).toBe(409);
    const { body: seen } = await askJson(`/v1/projects/${one.projectId}/runs/${one.runId}`);
    expect(seen.data.meta).toMatchObject({
      owner: "alice",
      pool: pool.pool,
      workspaceBackend: "cluster",
      idempotencyKey: `session:${session.uid}`,
    });
  });

  it("is started by the leader, claimed, and told of until its end", async () => {
    const pool = await makePool();
    await ScriptedOperator.join(pool, false);
    const leader = await ScriptedOperator.join(pool);
    const { runId, session } = await makeSessionRun(pool);
    const start = await leader.heard("session.start");
    expect(start).toMatchObject({
      runId,
      attempt: 1,
      warm: null,
      spec: { session, owner: "alice" },
    });
    leader.say({ type: "ack", key: start.key });
    const attempt = await ScriptedAttempt.claim(start, crypto.randomUUID());
    await leader.heard("run.changed", ({ run }) => run.status === "running");
    const resolved = { provider: "openai", model: "gpt-5", source: "default" } as const;
    await attempt.append([{ type: "model.resolved", data: resolved }]);
    await leader.heard("run.changed", (told) => told.run.model === "gpt-5");
    await attempt.append([], { kind: "succeeded", output: "done" });
    const { run } = await leader.heard("run.changed", (told) => told.run.status === "succeeded");
    expect(run).toMatchObject({ runId, attempt: 1, failures: 0 });
  });

  it("waits while another session of its thread executes", async () => {
    const pool = await makePool();
    const operator = await ScriptedOperator.join(pool);
    const thread = "shared";
    const first = await makeSessionRun(pool, { thread });
    const start = await operator.heard("session.start");
    operator.say({ type: "ack", key: start.key });
    const attempt = await ScriptedAttempt.claim(start, crypto.randomUUID());
    const second = await makeSessionRun(pool, { thread });
    expect(second).toMatchObject({ projectId: first.projectId, status: "queued", attempt: 0 });
    await attempt.append([], { kind: "succeeded", output: "done" });
    expect(await operator.heard("session.start")).toMatchObject({
      runId: second.runId,
      attempt: 1,
    });
  });

  it("is not another pool's, nor anybody's without a token", async () => {
    const [pool, other] = [await makePool(), await makePool()];
    const { runId } = await makeSessionRun(pool);
    for (const path of [
      sessionPaths.run(other.pool, runId),
      sessionPaths.run(pool.pool, runId),
      sessionPaths.logs(pool.pool, runId),
    ]) {
      const method = path.endsWith("logs") ? "DELETE" : "GET";
      expect((await askAsPool(other, path, method)).status).toBe(404);
      expect((await askAsPool({ token: "x" }, path, method)).status).toBe(401);
    }
  });

  it("is done nothing to by another pool, by whose path ever it asks", async () => {
    const [pool, other] = [await makePool(), await makePool()];
    const { runId } = await makeSessionRun(pool);
    const { cancel, stop, resume, input, token, log, liveLog } = sessionPaths;
    const body = { by: "mallory", key: "k", content: "x", attempt: 1 };
    const asked = (path: string, method: string, as: string) =>
      ask(path, {
        method,
        key: null,
        headers: { authorization: `Bearer ${as}`, upgrade: "websocket" },
        ...(method === "POST" && { json: body }),
      });
    for (const [method, pathOf] of [
      ...[cancel, stop, resume, input, token].map((act) => ["POST", act] as const),
      ["DELETE", token],
      ["PUT", (name: string, run: string) => log(name, run, 1, "runner")],
      ["GET", (name: string, run: string) => liveLog(name, run, 1, "runner")],
    ] as const) {
      const path = pathOf(pool.pool, runId);
      const answers = [
        await asked(path, method, other.token),
        await asked(pathOf(other.pool, runId), method, other.token),
        await asked(path, method, "nobody's"),
      ];
      const statuses = answers.map(({ status }) => status);
      expect([method, path, statuses]).toEqual([method, path, [404, 404, 401]]);
    }
    expect(await readRun(pool, runId)).toMatchObject({ status: "dispatched", stopping: false });
  });
});

describe("commands", () => {
  it("wait for an operator that leads, and are told again until one confirms them", async () => {
    const pool = await makePool();
    const { runId } = await makeSessionRun(pool);
    const first = await ScriptedOperator.join(pool);
    const start = await first.heard("session.start");
    expect(start).toMatchObject({ runId, attempt: 1 });
    first.close();
    const second = await ScriptedOperator.join(pool);
    expect(await second.heard("session.start")).toMatchObject({ key: start.key });
    second.say({ type: "ack", key: start.key });
    const { runId: next } = await makeSessionRun(pool);
    const third = await ScriptedOperator.join(pool);
    expect(await third.heard("session.start")).toMatchObject({ runId: next });
  });
});

describe("a report", () => {
  it("of a failed start counts once, is retried, and fails the run for its reason", async () => {
    const pool = await makePool();
    const operator = await ScriptedOperator.join(pool);
    const { runId } = await makeSessionRun(pool);
    await operator.heard("session.start");
    const report = reportOf({ runId, attempt: 1 }, { retryable: true, reason: "Unschedulable" });
    for (let sent = 0; sent < 2; sent += 1) {
      operator.report(report);
      expect(await operator.heard("ack")).toEqual({ type: "ack", key: report.key });
    }
    expect(await readRun(pool, runId)).toMatchObject({ failures: 1 });
    const again = await operator.heard("session.start", ({ attempt }) => attempt === 2);
    operator.report(reportOf(again));
    await operator.heard("ack");
    expect(await readRun(pool, runId)).toMatchObject({
      status: "failed",
      failures: 2,
      error: { code: "session_failed", reason: "ImagePullFailed", error: "no such image" },
    });
  });

  it("of a session that died under its runner lets the run go on at once", async () => {
    const pool = await makePool();
    const operator = await ScriptedOperator.join(pool);
    const { runId } = await makeSessionRun(pool);
    const start = await operator.heard("session.start");
    await ScriptedAttempt.claim(start, crypto.randomUUID());
    const facts = { kind: "ended", reason: "OutOfMemory", retryable: true } as const;
    operator.report(reportOf(start, facts));
    const again = await operator.heard("session.start", ({ attempt }) => attempt === 2);
    expect(again.runId).toBe(runId);
    const { body } = await askJson(`/v1/projects/${again.projectId}/runs/${runId}/snapshot`);
    expect(body.data.state).toMatchObject({ status: "queued" });
  });
});

describe("a cancel that the runner does not acknowledge", () => {
  it("stops the session, whose report ends the run", { timeout: 60_000 }, async () => {
    const pool = await makePool();
    const operator = await ScriptedOperator.join(pool);
    const { runId, projectId } = await makeSessionRun(pool);
    const start = await operator.heard("session.start");
    await ScriptedAttempt.claim(start, crypto.randomUUID());
    const by = { by: "alice" };
    const asked = await askAsPool(pool, sessionPaths.cancel(pool.pool, runId), "POST", by);
    expect(await asked.json()).toMatchObject({ status: "cancelling" });
    const stop = await operator.heard("session.stop");
    expect(stop).toMatchObject({ runId, attempt: 1, by: "cancel", graceMs: 5000 });
    operator.say({ type: "ack", key: stop.key });
    operator.report(reportOf(start, { kind: "stopped", reason: "Stopped" }));
    await untilStatus(pool, runId, "cancelled");
    const events = await ask(`/v1/projects/${projectId}/runs/${runId}/stream`);
    expect(await events.text()).toContain('"forced":true,"stopped":true');
  });
});

describe("a stop", () => {
  it("is a pause: the runner hands back, the run waits, a resume queues it", async () => {
    const pool = await makePool();
    const operator = await ScriptedOperator.join(pool);
    const { runId } = await makeSessionRun(pool);
    const start = await operator.heard("session.start");
    const attempt = await ScriptedAttempt.claim(start, crypto.randomUUID());
    const by = { by: "alice" };
    const stopped = await askAsPool(pool, sessionPaths.stop(pool.pool, runId), "POST", by);
    expect(await stopped.json()).toMatchObject({ status: "running", stopping: true });
    await attempt.heard("stop");
    await attempt.append([], { kind: "released", reason: "stopped" });
    await operator.heard("run.changed", ({ run }) => run.status === "waiting");
    const resumed = await askAsPool(pool, sessionPaths.resume(pool.pool, runId), "POST", by);
    expect(await resumed.json()).toMatchObject({ failures: 0, attempt: 2 });
    await operator.heard("session.start", (told) => told.attempt === 2);
  });

  it("of a run that nobody has claimed stops what was started for it", async () => {
    const pool = await makePool();
    const operator = await ScriptedOperator.join(pool);
    const { runId } = await makeSessionRun(pool);
    await operator.heard("session.start");
    await askAsPool(pool, sessionPaths.stop(pool.pool, runId), "POST", { by: "alice" });
    expect(await readRun(pool, runId)).toMatchObject({ status: "waiting" });
    expect(await operator.heard("session.stop")).toMatchObject({ runId, attempt: 1, by: "fence" });
  });
});

describe("a question", () => {
  it("lets the session's run wait, and the answer queues it, once", async () => {
    const pool = await makePool();
    const operator = await ScriptedOperator.join(pool);
    const { runId } = await makeSessionRun(pool, { interactive: true });
    const start = await operator.heard("session.start");
    expect(start.spec).toMatchObject({ interactive: true, keepOpen: false });
    const attempt = await ScriptedAttempt.claim(start, crypto.randomUUID());
    const say = async (content: string, key: string) => {
      const input = { by: "alice", key, content };
      const path = sessionPaths.input(pool.pool, runId);
      const response = await askAsPool(pool, path, "POST", input);
      return SessionInputAnswer.parse(await response.json());
    };
    expect(await say("Too early.", "a")).toMatchObject({ refused: "not_waiting" });
    await attempt.append([], { kind: "awaiting", question: "Which one?", heard: 0 });
    const told = await operator.heard("run.changed", ({ run }) => run.status === "waiting");
    expect(told.run.waiting).toMatchObject({ reason: "question", question: "Which one?" });
    const both = [await say("This.", "b"), await say("This.", "b")];
    expect(both).toMatchObject([{ refused: null }, { refused: null, run: { attempt: 2 } }]);
    expect(await say("That.", "b")).toMatchObject({ refused: "idempotency_mismatch" });
    await operator.heard("session.start", (again) => again.attempt === 2);
  });
});

describe("tokens", () => {
  it("are renewed while the attempt may execute, and revoked when the run is over", async () => {
    const pool = await makePool();
    const { runId } = await makeSessionRun(pool);
    const path = sessionPaths.token(pool.pool, runId);
    const renewed = await askAsPool(pool, path, "POST", { attempt: 1 });
    expect(renewed.status).toBe(200);
    const { token } = await renewed.json<{ token: string }>();
    const attempt = await ScriptedAttempt.claim(
      { orgId: defaultOrg.id, runId, attempt: 1, token },
      crypto.randomUUID(),
    );
    expect((await askAsPool(pool, path, "POST", { attempt: 2 })).status).toBe(403);
    expect((await askAsPool(pool, path, "DELETE")).status).toBe(409);
    await attempt.append([], { kind: "succeeded", output: "x" });
    const upload = () =>
      attempt.ask(`/runner/runs/${runId}/uploads`, "POST", '{"kind":"zip","sizeBytes":1}');
    expect((await upload()).status).toBe(200);
    expect((await askAsPool(pool, path, "DELETE")).status).toBe(204);
    expect((await upload()).status).toBe(403);
  });
});
