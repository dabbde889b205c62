import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it, vi } from "vitest";
import { defaultOrg } from "../edge-env.ts";
import { askJson, makeProject, makeRun } from "../testing/api.ts";
import { consumeWebhooks } from "./consume-webhooks.ts";

async function consume(queue: string, bodies: readonly unknown[]) {
  const messages = bodies.map((body, index) => ({
    id: String(index),
    timestamp: new Date(0),
    attempts: 1,
    body,
  }));
  const batch = createMessageBatch(queue, messages);
  await consumeWebhooks(batch, env);
  return getQueueResult(batch, createExecutionContext());
}

/** A delivery that is due, of a run that is over, to a URL that nothing is ever sent to. */
async function dueDelivery() {
  const project = await makeProject();
  const created = await askJson(`${project.path}/webhooks`, {
    json: { url: "https://hooks.example.com/", events: ["run.failed"] },
  });
  const webhookId: string = created.body.data.id;
  const { body } = await makeRun(project);
  const runId: string = body.data.id;
  const id = `${runId}_2_${webhookId}`;
  await env.DB.batch([
    env.DB.prepare("UPDATE webhooks SET url = 'https://127.0.0.1/' WHERE id = ?").bind(webhookId),
    env.DB.prepare(
      "INSERT INTO webhook_deliveries (id, org_id, project_id, run_id, webhook_id, seq, type, event_at," +
        " status, tries, next_at, created_at) VALUES (?, ?, ?, ?, ?, 2, 'run.failed', 0, 'pending', 0, 0, 0)",
    ).bind(id, defaultOrg.id, project.id, runId, webhookId),
  ]);
  const logged = async () => {
    const { body: page } = await askJson(`${project.path}/webhooks/deliveries?runId=${runId}`);
    return page.data[0];
  };
  return { id, webhookId, project, logged };
}

it("tries once what is due, however often the message comes, and asks for the next try", async () => {
  const { id, logged } = await dueDelivery();
  const message = { deliveryId: id };
  const result = await consume("millrace-webhooks", [message, message, message]);
  expect(result.explicitAcks).toHaveLength(2);
  expect(result.retryMessages).toEqual([{ msgId: "0" }]);
  const again = await consume("millrace-webhooks", [message]);
  expect(again.explicitAcks).toEqual(["0"]);
  expect(await logged()).toMatchObject({
    status: "pending",
    attempts: [{ ok: false, statusCode: null, error: "address_refused" }],
  });
});

it("gives up what a deleted webhook was still to be told", async () => {
  const { id, webhookId, project, logged } = await dueDelivery();
  await askJson(`${project.path}/webhooks/${webhookId}`, { method: "DELETE" });
  const result = await consume("millrace-webhooks", [{ deliveryId: id }]);
  expect(result.explicitAcks).toEqual(["0"]);
  expect(await logged()).toMatchObject({
    status: "dead",
    url: null,
    nextAttemptAt: null,
    attempts: [{ error: "webhook_disabled" }],
  });
});

it("counts what cannot be made as a failed try, and says nothing of the secret", async () => {
  const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const { id, webhookId, logged } = await dueDelivery();
  const breakSeal = "UPDATE webhook_secrets SET sealed = '1.AAAA.whsec' WHERE webhook_id = ?";
  await env.DB.prepare(breakSeal).bind(webhookId).run();
  await consume("millrace-webhooks", [{ deliveryId: id }]);
  expect(await logged()).toMatchObject({ attempts: [{ error: "internal" }] });
  expect(JSON.stringify(log.mock.calls)).not.toContain("whsec");
  log.mockRestore();
});

it("comes back to it later when the registry is away", async () => {
  const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const { id, logged } = await dueDelivery();
  await env.DB.exec("ALTER TABLE webhook_attempts RENAME TO webhook_attempts_away");
  const result = await consume("millrace-webhooks", [{ deliveryId: id }]);
  expect(result.retryMessages).toEqual([{ msgId: "0" }]);
  await env.DB.exec("ALTER TABLE webhook_attempts_away RENAME TO webhook_attempts");
  expect(await logged()).toMatchObject({ status: "pending", attempts: [] });
  log.mockRestore();
});

it("logs and drops what is no delivery, and dead letters", async () => {
  const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const broken = await consume("millrace-webhooks", ["x", { deliveryId: 7 }]);
  const dead = await consume("millrace-webhooks-dead", [{ deliveryId: "d" }]);
  const unknown = await consume("millrace-webhooks", [{ deliveryId: "nobody's" }]);
  expect([broken, dead, unknown].map(({ explicitAcks }) => explicitAcks.length)).toEqual([2, 1, 1]);
  expect(log).toHaveBeenCalledTimes(3);
  log.mockRestore();
});
