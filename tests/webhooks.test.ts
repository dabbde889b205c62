import { Webhook } from "standardwebhooks";
import { beforeAll, describe, expect, it } from "vitest";
import { addOrg } from "./support/add-org.ts";
import type { Api } from "./support/api.ts";
import { startDohServer } from "./support/doh-server.ts";
import { startFaultBench, type FaultBench } from "./support/fault-bench.ts";
import { promptFor } from "./support/model-server/scenario.ts";
import { WebhookApi } from "./support/webhook-api.ts";
import { startWebhookReceiver, type Received } from "./support/webhook-receiver.ts";

let bench: FaultBench;
let api: Api;
let doh: Awaited<ReturnType<typeof startDohServer>>;

beforeAll(async () => {
  doh = await startDohServer({
    "private.example": { A: ["10.0.0.7"] },
    "metadata.example": { CNAME: "alias.example", A: ["169.254.169.254"] },
    "half.example": { A: ["1.1.1.1"], AAAA: ["fd00::1"] },
    "mapped.example": { AAAA: ["::ffff:127.0.0.1"] },
    "broken.example": "servfail",
    "empty.example": {},
  });
  bench = await startFaultBench({
    vars: {
      WEBHOOK_ALLOW_LOOPBACK: "on",
      WEBHOOK_RETRY_SECONDS: "1,1",
      WEBHOOK_LOG_DAYS: "0",
      DOH_URL: doh.url,
    },
  });
  ({ api } = bench);
});

/** A run that is over as soon as it is created: nobody was there to execute it. */
async function cancelledRun(projectId: string, webhook?: object): Promise<string> {
  const body = { prompt: "never executed", ...(webhook ? { webhook } : {}) };
  const { id } = await api.createRun(projectId, body);
  await api.cancel(projectId, id);
  return id;
}

const verify = ({ body, headers }: Received, secret: string): unknown =>
  new Webhook(secret).verify(body, headers);

describe("a delivery", () => {
  it("reaches a receiver that verifies it, with the run as the API shows it", async () => {
    // The other tests want runs that nobody executes.
    const runner = await bench.startRunner();
    const receiver = await startWebhookReceiver();
    const projectId = await api.createProject();
    const hooks = new WebhookApi(api, projectId);
    const { secret } = await hooks.create({ url: receiver.url });
    const prompt = promptFor({ build: [{ text: "Done." }] });
    const { runId, stream } = await api.streamRun(projectId, { prompt });
    const frames = await stream.toEnd();
    const got = await receiver.request(0);
    expect(verify(got, secret)).toEqual(got.payload);
    const run = await api.run(projectId, runId);
    expect(got.payload).toMatchObject({
      type: "run.succeeded",
      timestamp: run.completedAt,
      data: { seq: frames.at(-1)?.id, run },
    });
    const delivered = await hooks.until(runId, ({ status }) => status === "delivered");
    expect(delivered).toMatchObject({
      id: got.headers["webhook-id"],
      type: "run.succeeded",
      nextAttemptAt: null,
      attempts: [{ ok: true, statusCode: 204, error: null, nextAttemptAt: null }],
    });
    expect(receiver.received).toHaveLength(1);
    await runner.stop();
  });

  it("is tried again after a 500, with the same id and a signature of its own", async () => {
    const receiver = await startWebhookReceiver();
    receiver.answerNext({ status: 500 }, { status: 503 });
    const projectId = await api.createProject();
    const hooks = new WebhookApi(api, projectId);
    const { secret } = await hooks.create({ url: receiver.url });
    const runId = await cancelledRun(projectId);
    const delivered = await hooks.until(runId, ({ status }) => status === "delivered");
    expect(delivered.attempts.map(({ statusCode, error }) => [statusCode, error])).toEqual([
      [500, "http_status"],
      [503, "http_status"],
      [204, null],
    ]);
    expect(receiver.received.map(({ headers }) => headers["webhook-id"])).toEqual(
      Array.from({ length: 3 }, () => delivered.id),
    );
    for (const request of receiver.received) verify(request, secret);
  });

  it("is dead after its last try, and is delivered by hand with the same id", async () => {
    const receiver = await startWebhookReceiver();
    receiver.answerNext({ status: 500 }, { status: 500 }, { status: 500 });
    const projectId = await api.createProject();
    const hooks = new WebhookApi(api, projectId);
    await hooks.create({ url: receiver.url });
    const runId = await cancelledRun(projectId);
    const dead = await hooks.until(runId, ({ status }) => status === "dead");
    expect(dead.attempts).toHaveLength(3);
    expect(receiver.received).toHaveLength(3);
    const answer = await hooks.redeliver(dead.id);
    expect(answer).toMatchObject({ status: 200, body: { data: { id: dead.id } } });
    const delivered = await hooks.until(runId, ({ status }) => status === "delivered");
    expect(delivered.attempts).toHaveLength(4);
    expect((await receiver.request(3)).headers["webhook-id"]).toBe(dead.id);
  });

  it("is signed by the secret before, too, once that was replaced", async () => {
    const receiver = await startWebhookReceiver();
    const projectId = await api.createProject();
    const hooks = new WebhookApi(api, projectId);
    const { id, secret: before } = await hooks.create({ url: receiver.url });
    const { secret: now } = await hooks.rotate(id);
    await cancelledRun(projectId);
    const got = await receiver.request(0);
    for (const secret of [before, now]) verify(got, secret);
    await hooks.rotate(id);
    await cancelledRun(projectId);
    const next = await receiver.request(1);
    expect(verify(next, now)).toEqual(next.payload);
    expect(() => verify(next, before)).toThrow("signature");
  });
});

describe("a receiver", () => {
  it("that answers 410 is told nothing more until it is enabled again", async () => {
    const receiver = await startWebhookReceiver();
    receiver.answerNext({ status: 410 });
    const projectId = await api.createProject();
    const hooks = new WebhookApi(api, projectId);
    const { id } = await hooks.create({ url: receiver.url });
    const runId = await cancelledRun(projectId);
    const dead = await hooks.until(runId, ({ status }) => status === "dead");
    expect(dead.attempts).toMatchObject([{ statusCode: 410 }]);
    expect(await hooks.get(id)).toMatchObject({ disabled: true, disabledReason: "gone" });
    expect((await hooks.redeliver(dead.id)).status).toBe(400);
    const untold = await cancelledRun(projectId);
    await hooks.enable(id);
    const told = await cancelledRun(projectId);
    expect((await receiver.request(1)).payload.data.run.id).toBe(told);
    expect((await hooks.deliveries({ runId: untold })).data).toEqual([]);
  });

  it("that redirects is not followed", async () => {
    const [receiver, elsewhere] = [await startWebhookReceiver(), await startWebhookReceiver()];
    receiver.answerNext(
      ...[301, 302, 307].map((status) => ({ status, headers: { location: elsewhere.url } })),
    );
    const projectId = await api.createProject();
    const hooks = new WebhookApi(api, projectId);
    await hooks.create({ url: receiver.url });
    const runId = await cancelledRun(projectId);
    const dead = await hooks.until(runId, ({ status }) => status === "dead");
    expect(dead.attempts.map(({ error }) => error)).toEqual(["redirect", "redirect", "redirect"]);
    expect(elsewhere.received).toEqual([]);
  });

  it.for([
    ["private.example", "address_refused"],
    ["metadata.example", "address_refused"],
    ["half.example", "address_refused"],
    ["mapped.example", "address_refused"],
    ["broken.example", "unresolvable"],
    ["empty.example", "unresolvable"],
    ["missing.example", "unresolvable"],
  ] as const)("whose name is %s is refused: %s", async ([host, error]) => {
    const projectId = await api.createProject();
    const runId = await cancelledRun(projectId, { url: `https://${host}/hook` });
    const hooks = new WebhookApi(api, projectId);
    const { attempts } = await hooks.until(runId, (delivery) => delivery.attempts.length > 0);
    expect(attempts[0]).toMatchObject({ ok: false, statusCode: null, error });
    expect(doh.asked).toEqual(expect.arrayContaining([`${host} A`, `${host} AAAA`]));
  });

  it("that is not there is tried again", async () => {
    const projectId = await api.createProject();
    // Nobody listens on the discard port.
    const runId = await cancelledRun(projectId, { url: "http://127.0.0.1:9/" });
    const hooks = new WebhookApi(api, projectId);
    const { attempts } = await hooks.until(runId, (delivery) => delivery.attempts.length > 0);
    expect(attempts[0]).toMatchObject({ error: "connection_failed" });
  });
});

describe("who is told", () => {
  it("is the project's webhook of every run, and a run's own of this run", async () => {
    const [ofProject, ofRun] = [await startWebhookReceiver(), await startWebhookReceiver()];
    const projectId = await api.createProject();
    const hooks = new WebhookApi(api, projectId);
    await hooks.create({ url: ofProject.url, events: ["run.cancelled"] });
    await hooks.create({ url: ofProject.url, events: ["run.succeeded", "run.waiting"] });
    const { secret } = await hooks.rotateRunSecret();
    const first = await cancelledRun(projectId, { url: ofRun.url });
    const own = await ofRun.request(0);
    verify(own, secret);
    const second = await cancelledRun(projectId);
    await ofProject.request(1);
    expect(ofProject.received.map(({ payload }) => payload.data.run.id).toSorted()).toEqual(
      [first, second].toSorted(),
    );
    expect(ofRun.received).toHaveLength(1);
    const { meta } = await hooks.deliveries({ runId: first, limit: "1" });
    expect(meta).toMatchObject({ total: 2 });
    expect(meta.next).toContain(`runId=${first}`);
  });

  it("is nobody of another tenant, who sees nothing of it either", async () => {
    const projectId = await api.createProject();
    const hooks = new WebhookApi(api, projectId);
    const receiver = await startWebhookReceiver();
    const { id } = await hooks.create({ url: receiver.url });
    const runId = await cancelledRun(projectId);
    const delivery = await hooks.until(runId, ({ status }) => status === "delivered");
    const stranger = await addOrg(bench.platform, "stranger");
    const path = `/v1/projects/${projectId}/webhooks`;
    const ofProject = [
      ["GET", path],
      ["POST", path, { url: receiver.url }],
      ["POST", `${path}/run-secret`],
      ["GET", `${path}/deliveries`],
    ] as const;
    const ofWebhook = [
      ["GET", `${path}/${id}`],
      ["PATCH", `${path}/${id}`, { disabled: true }],
      ["DELETE", `${path}/${id}`],
      ["POST", `${path}/${id}/secret`],
      ["POST", `${path}/deliveries/${delivery.id}/redeliver`],
    ] as const;
    await expectNotFound(stranger, [...ofProject, ...ofWebhook]);
    // A project of the same name is another project.
    await stranger.createProject(projectId);
    await expectNotFound(stranger, ofWebhook);
    for (const list of [path, `${path}/deliveries`]) {
      expect((await stranger.request("GET", list)).body).toMatchObject({ data: [] });
    }
    const { id: theirs } = await stranger.createRun(projectId, { prompt: "theirs" });
    await stranger.cancel(projectId, theirs);
    await hooks.redeliver(delivery.id);
    await receiver.request(1);
    expect(receiver.received.map(({ payload }) => payload.data.run.id)).toEqual([runId, runId]);
  });
});

describe("the delivery log", () => {
  it("forgets what was settled, when the cron comes, and tells nobody twice", async () => {
    const receiver = await startWebhookReceiver();
    const projectId = await api.createProject();
    const hooks = new WebhookApi(api, projectId);
    await hooks.create({ url: receiver.url });
    const runId = await cancelledRun(projectId);
    await hooks.until(runId, ({ status }) => status === "delivered");
    const cron = await fetch(`${bench.platform.url}/cdn-cgi/local/scheduled`);
    expect(cron.status).toBe(200);
    expect((await hooks.deliveries({ runId })).data).toEqual([]);
    // The run does not plan it anew.
    const next = await cancelledRun(projectId);
    await hooks.until(next, ({ status }) => status === "delivered");
    expect(receiver.received.map(({ payload }) => payload.data.run.id)).toEqual([runId, next]);
  });
});

async function expectNotFound(
  asker: Api,
  asks: readonly (readonly [method: string, path: string, body?: object])[],
): Promise<void> {
  for (const [method, path, body] of asks) {
    const { status } = await asker.request(method, path, body ? { body } : {});
    expect([method, path, status]).toEqual([method, path, 404]);
  }
}
