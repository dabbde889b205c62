import { createPublicKey, randomUUID, verify } from "node:crypto";
import { subscriptions } from "@millrace/contracts";
import { beforeAll, describe, expect, it } from "vitest";
import { addOrg } from "../support/add-org.ts";
import type { Api } from "../support/api.ts";
import { startPlatform, type Platform } from "../support/platform.ts";
import { waitUntil } from "../support/wait-until.ts";
import { startReceiver, type Received, type WebhookReceiver } from "../support/webhook-receiver.ts";

type Receiver = WebhookReceiver<subscriptions.Wake>;
const done = { status: 200, body: '{"done":true}' } as const;

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ vars: { WEBHOOK_ALLOW_LOOPBACK: "on" } });
});

interface Subscribed {
  readonly api: Api;
  readonly receiver: Receiver;
  readonly path: string;
  /** Streams of this name and one more segment are followed. */
  readonly prefix: string;
}

async function subscribed(api: Api = platform.api): Promise<Subscribed> {
  const receiver = await startReceiver(subscriptions.Wake, done);
  const prefix = `jobs-${randomUUID()}`;
  const path = `/v1/stream/__ds/subscriptions/${randomUUID()}`;
  const body = { type: "webhook", pattern: `${prefix}/*`, webhook: { url: receiver.url } };
  expect((await api.request("PUT", path, { body })).status).toBe(201);
  return { api, receiver, path, prefix };
}

async function write({ api, prefix }: Subscribed, name: string, message: unknown): Promise<void> {
  const path = `/v1/stream/${prefix}/${name}`;
  expect([200, 201]).toContain((await api.request("PUT", path, { body: [] })).status);
  expect((await api.request("POST", path, { body: message })).status).toBe(204);
}

async function jwksOf(api: Api): Promise<subscriptions.Jwks> {
  return subscriptions.Jwks.parse((await api.request("GET", "/v1/stream/__ds/jwks.json")).body);
}

function isSigned(
  { headers, body }: Received<subscriptions.Wake>,
  { keys }: subscriptions.Jwks,
): boolean {
  const [, t, kid, signature = ""] =
    /^t=(\d+),kid=([^,]+),ed25519=([\w-]+)$/.exec(headers["webhook-signature"] ?? "") ?? [];
  const key = keys.find((candidate) => candidate.kid === kid);
  if (key === undefined) return false;
  const publicKey = createPublicKey({ key, format: "jwk" });
  return verify(null, Buffer.from(`${t}.${body}`), publicKey, Buffer.from(signature, "base64url"));
}

/** Everything that was written is acknowledged, and each wake was told with what it had at first. */
async function expectAllRead({ api, receiver, path, prefix }: Subscribed, names: number) {
  await waitUntil("everything is acknowledged", async () => {
    const { body } = await api.request("GET", path).catch(() => ({ body: null }));
    const known = subscriptions.Subscription.safeParse(body);
    if (!known.success || known.data.streams.length < names) return false;
    const tails = await Promise.all(
      known.data.streams.map((stream) => api.request("HEAD", `/v1/stream/${stream.path}`)),
    );
    return known.data.streams.every(
      ({ acked_offset: acked }, n) => tails[n]?.headers.get("stream-next-offset") === acked,
    );
  });
  const jwks = await jwksOf(api);
  const told = new Map<string, unknown>();
  for (const request of receiver.received) {
    const { wake_id: wakeId, streams } = request.payload;
    expect(isSigned(request, jwks)).toBe(true);
    expect(streams).toEqual(told.get(wakeId) ?? streams);
    told.set(wakeId, streams);
    for (const { path: name } of streams) expect(name.startsWith(`${prefix}/`)).toBe(true);
  }
}

describe("an edge that is killed", () => {
  it("right after appends: their followers are woken", async () => {
    const own = await subscribed();
    await Promise.all(["a", "b", "c"].map((name) => write(own, name, { n: 1 })));
    await platform.restart();
    await write(own, "a", { n: 2 });
    await expectAllRead(own, 3);
  });

  it("while the receiver has the wake: the same wake again", async () => {
    const own = await subscribed();
    own.receiver.answerNext("never");
    await write(own, "a", { n: 1 });
    const first = await own.receiver.request(0);
    await platform.restart();
    const second = await own.receiver.request(1);
    expect(second.payload.wake_id).toBe(first.payload.wake_id);
    expect(second.payload.generation).toBe(first.payload.generation);
    await expectAllRead(own, 1);
  });
});

it("a receiver that is down is told the same wake when it is back", async () => {
  const own = await subscribed();
  own.receiver.answerNext({ status: 503 }, { status: 500 });
  await write(own, "a", { n: 1 });
  const requests = [0, 1, 2].map((index) => own.receiver.request(index));
  const wakes = (await Promise.all(requests)).map(({ payload }) => payload.wake_id);
  expect(new Set(wakes).size).toBe(1);
  await expectAllRead(own, 1);
});

it("another org finds no subscription, wakes nobody, and signs with another key", async () => {
  const other = await addOrg(platform, `other-${randomUUID()}`);
  const own = await subscribed();
  const theirs = await subscribed(other);
  expect((await other.request("GET", own.path)).status).toBe(404);
  expect((await other.request("DELETE", own.path)).status).toBe(204);
  await write({ ...theirs, prefix: own.prefix }, "a", { of: "the other org" });
  await write(theirs, "a", { n: 1 });
  await expectAllRead(theirs, 1);
  expect(own.receiver.received).toEqual([]);
  await write(own, "b", { n: 1 });
  await expectAllRead(own, 1);
  const [wake] = own.receiver.received;
  expect(wake && isSigned(wake, await jwksOf(other))).toBe(false);
});
