import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it, vi } from "vitest";
import { consumeDispatch } from "./queue.ts";
import { makeProject, makeRun } from "./testing/api.ts";
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
