import { subscriptions as wire } from "@millrace/contracts";
import type { AckRequest, WakeRefusal } from "@millrace/durable-objects";
import { Hono, type Context } from "hono";
import type { WokenEnv } from "../../edge-env.ts";
import { limitRequestsOf } from "../../middleware/limit-requests.ts";
import { requireWakeToken } from "../../middleware/require-wake-token.ts";
import { subscriptionsObject } from "../../objects.ts";
import { problem } from "../../problem.ts";
import { refuseSubscription } from "../../subscriptions/refuse-subscription.ts";
import { parseOffset, subscriptionPrefix } from "./protocol.ts";
import { readWish } from "./read-wish.ts";

/** What whoever was woken may say. The wake's token is all they show: it opens this one wake, and no stream. */
export const wakes = new Hono<WokenEnv>();

const path = `${subscriptionPrefix}:id` as const;
const acts = ["callback", "ack", "release"] as const;
const wakePath = /^\/v1\/stream\/__ds\/subscriptions\/[^/]+\/(callback|ack|release)$/;

/** Is it a path that asks for a wake's token, and not for an API key? */
export function isWakePath(c: Context): boolean {
  return wakePath.test(c.req.path);
}

const limitWoken = limitRequestsOf(({ var: { woken } }: Context<WokenEnv>) => ({
  orgId: woken.orgId,
  keyId: `wake:${woken.subscriptionUid}`,
}));

for (const act of acts) wakes.use(`${path}/${act}`, requireWakeToken, limitWoken);

wakes.post(`${path}/callback`, (c) => acknowledge(c, c.req.param("id"), "webhook"));
wakes.post(`${path}/ack`, (c) => acknowledge(c, c.req.param("id"), "pull-wake"));

wakes.post(`${path}/release`, async (c) => {
  const body = await readWish(c, wire.ReleaseWish);
  if (body instanceof Response) return body;
  const { orgId, token } = c.var.woken;
  const { wake_id: wakeId, generation } = body;
  const own = subscriptionsObject(c.env, orgId);
  const answer = await own.release(c.req.param("id"), { token, wakeId, generation });
  return answer.ok ? c.body(null, 204) : refuseWake(c, answer.code);
});

// An API key was not asked for on these paths: nothing behind may answer them.
for (const act of acts) {
  wakes.all(`${path}/${act}`, (c) => {
    c.header("allow", "POST, OPTIONS");
    return problem(c, "method_not_allowed");
  });
}

async function acknowledge(
  c: Context<WokenEnv>,
  id: string,
  type: AckRequest["type"],
): Promise<Response> {
  const body = await readWish(c, wire.AckWish);
  if (body instanceof Response) return body;
  const acks = readAcks(body);
  if (acks === null) return refuseSubscription(c, "INVALID_OFFSET");
  const { orgId, token } = c.var.woken;
  const { wake_id: wakeId, generation, done } = body;
  const own = subscriptionsObject(c.env, orgId);
  const answer = await own.ack(id, { type, token, wakeId, generation, acks, done });
  if (!answer.ok) return refuseWake(c, answer.code);
  return c.json({ ok: true, next_wake: answer.nextWake } satisfies wire.Acked, 200);
}

/** Null: an offset that none of our streams has ever told. */
function readAcks({ acks }: wire.AckWish): AckRequest["acks"] | null {
  const read = acks.map(({ stream, path: name, offset }) => ({
    name: stream ?? name ?? "",
    seq: offset === "-1" ? null : parseOffset(offset),
  }));
  const known = read.flatMap(({ name, seq }) => (typeof seq === "number" ? [{ name, seq }] : []));
  return known.length === read.length ? known : null;
}

function refuseWake(c: Context, code: WakeRefusal["code"]): Response {
  switch (code) {
    case "not_found":
      return refuseSubscription(c, "SUBSCRIPTION_NOT_FOUND");
    case "wrong_type":
      return refuseSubscription(c, "INVALID_REQUEST", {
        message: "callback is for webhooks, ack and release are for pull-wake",
      });
    case "token_invalid":
      return refuseSubscription(c, "TOKEN_INVALID");
    case "token_expired":
      return refuseSubscription(c, "TOKEN_EXPIRED");
    case "fenced":
      return refuseSubscription(c, "FENCED");
    case "invalid_offset":
      return refuseSubscription(c, "INVALID_OFFSET");
  }
}
