import { Webhook } from "standardwebhooks";
import { beforeAll, describe, expect, it } from "vitest";
import type { Api } from "../support/api.ts";
import { startPlatform, type Platform } from "../support/platform.ts";
import { WebhookApi } from "../support/webhook-api.ts";
import { startWebhookReceiver, type WebhookReceiver } from "../support/webhook-receiver.ts";

let platform: Platform;
let api: Api;

beforeAll(async () => {
  platform = await startPlatform({
    vars: { WEBHOOK_ALLOW_LOOPBACK: "on", WEBHOOK_RETRY_SECONDS: "2,2,2" },
  });
  ({ api } = platform);
});

interface Told {
  readonly hooks: WebhookApi;
  readonly secret: string;
  readonly receiver: WebhookReceiver;
  readonly projectId: string;
}

async function toldProject(): Promise<Told> {
  const receiver = await startWebhookReceiver();
  const projectId = await api.createProject();
  const hooks = new WebhookApi(api, projectId);
  const { secret } = await hooks.create({ url: receiver.url });
  return { hooks, secret, receiver, projectId };
}

/** A run that is over, with nobody to execute it. */
async function endedRun({ projectId }: Told): Promise<string> {
  const { id } = await api.createRun(projectId, { prompt: "never executed" });
  await api.cancel(projectId, id);
  return id;
}

/** Delivered in the end, with the right signature, and every time with the same id. */
async function expectDelivered({ hooks, secret, receiver }: Told, runId: string): Promise<void> {
  const delivery = await hooks.until(runId, ({ status }) => status === "delivered");
  const ours = receiver.received.filter(({ payload }) => payload.data.run.id === runId);
  expect(ours.length).toBeGreaterThan(0);
  for (const { headers, body } of ours) {
    expect(headers["webhook-id"]).toBe(delivery.id);
    new Webhook(secret).verify(body, headers);
  }
}

describe("an edge that is killed", () => {
  it("at the end of runs: each is told", async () => {
    const told = await toldProject();
    const runs = [await endedRun(told), await endedRun(told), await endedRun(told)];
    await platform.restart();
    for (const runId of runs) await expectDelivered(told, runId);
  });

  it("while the receiver has the request: it is sent again", async () => {
    const told = await toldProject();
    told.receiver.answerNext("never");
    const runId = await endedRun(told);
    await told.receiver.request(0);
    await platform.restart();
    await expectDelivered(told, runId);
    expect(told.receiver.received).toHaveLength(2);
  });

  it("between two tries: the next one comes", async () => {
    const told = await toldProject();
    told.receiver.answerNext({ status: 500 });
    const runId = await endedRun(told);
    await told.hooks.until(runId, ({ attempts }) => attempts.length === 1);
    await platform.restart();
    await expectDelivered(told, runId);
    expect(told.receiver.received).toHaveLength(2);
  });
});
