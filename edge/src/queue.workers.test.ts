import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it, vi } from "vitest";
import { consumeDispatch } from "./queue.ts";
import { ask, framesOf, makeProject, makeRun } from "./testing/api.ts";
import { ScriptedRunner } from "./testing/scripted-runner.ts";
import { defaultOrg } from "./edge-env.ts";

async function consume(queue: string, bodies: readonly unknown[]) {
  const messages = bodies.map((body, index) => ({
    id: String(index),
    timestamp: new Date(0),
    attempts: 1,
    body,
  }));
  const batch = createMessageBatch(queue, messages);
  await consumeDispatch(batch, env);
  return getQueueResult(batch, createExecutionContext());
}

it("acknowledges what the run was told, as often as it comes, and for runs that are not there", async () => {
  const { body } = await makeRun(await makeProject());
  const dispatch = { orgId: defaultOrg.id, runId: body.data.id, attempt: 1 };
  const absent = { ...dispatch, runId: crypto.randomUUID() };
  const result = await consume("millrace-dispatch", [dispatch, dispatch, absent]);
  expect(result.explicitAcks).toEqual(["0", "1", "2"]);
  expect(result.retryMessages).toEqual([]);
});

it("changes nothing by a message that comes twice, whether the run waits, is executed or is over", async () => {
  const project = await makeProject();
  const { body } = await makeRun(project);
  const runId: string = body.data.id;
  const dispatch = { orgId: defaultOrg.id, runId, attempt: 1 };
  const twice = () => consume("millrace-dispatch", [dispatch, dispatch]);
  await twice();
  const runner = await ScriptedRunner.join();
  const attempt = await runner.take(runId);
  await twice();
  await attempt.append([{ type: "run.phase", data: { phase: "plan", state: "started" } }]);
  await twice();
  await attempt.append([], { kind: "succeeded", output: "done" });
  await twice();
  const stream = await ask(`${project.path}/runs/${runId}/stream`);
  const frames = framesOf(await stream.text()).map(({ event, data }) => [event, data]);
  expect(frames).toMatchObject([
    ["status", { status: "queued" }],
    ["status", { status: "running", attempt: 1 }],
    ["status", { status: "phase_started" }],
    ["done", {}],
  ]);
  expect(runner.offersOf(runId)).toBe(1);
});

it("logs and drops what is no dispatch, and dead letters", async () => {
  const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const broken = await consume("millrace-dispatch", ["x", { runId: 7 }]);
  expect(broken.explicitAcks).toEqual(["0", "1"]);
  const dead = await consume("millrace-dispatch-dead", [
    { orgId: "o", runId: crypto.randomUUID(), attempt: 1 },
  ]);
  expect(dead.explicitAcks).toEqual(["0"]);
  expect(log).toHaveBeenCalledTimes(3);
  log.mockRestore();
});
