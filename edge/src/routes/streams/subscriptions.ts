import { limits, subscriptions as wire } from "@millrace/contracts";
import { readQuotas, type ClaimAnswer, type SubscriptionWish } from "@millrace/durable-objects";
import { Hono, type Context } from "hono";
import { sha256Hex } from "../../digest.ts";
import type { CallerEnv } from "../../edge-env.ts";
import { limited } from "../../limited.ts";
import { subscriptionsObject } from "../../objects.ts";
import { checkUrl } from "../../outbound/check-url.ts";
import { problem } from "../../problem.ts";
import { refuseSubscription } from "../../subscriptions/refuse-subscription.ts";
import { signingKeyOf } from "../../subscriptions/signing-key.ts";
import { wireSubscription, wokenStreams } from "../../subscriptions/wire.ts";
import { readWebhookSettings } from "../../webhooks/webhook-settings.ts";
import { jwksPath, subscriptionPrefix } from "./protocol.ts";
import { readWish } from "./read-wish.ts";

type Caller = Context<CallerEnv>;

/** Subscriptions of the Durable Streams protocol: what an API key may ask of them. */
export const subscriptions = new Hono<CallerEnv>();

const path = `${subscriptionPrefix}:id` as const;
/** A place becomes free when somebody deletes one. */
const fullRetrySeconds = 60;

subscriptions.use("/v1/stream/__ds/*", async (c, next) => {
  if (c.var.caller.projectId === null) return next();
  const message = "subscriptions belong to the org: a key of one project opens none";
  return problem(c, "permission_denied", { message });
});

subscriptions.use(`${path}/*`, async (c, next) => {
  if (c.req.param("id").length <= limits.subscriptionIdMaxChars) return next();
  const message = `id: has ${limits.subscriptionIdMaxChars} characters at most`;
  return refuseSubscription(c, "INVALID_REQUEST", { message });
});

/** Creates a subscription: 201; 200 when it is there and the same; 409 when it is there and another. */
subscriptions.put(path, async (c) => {
  const body = await readWish(c, wire.SubscriptionWish);
  if (body instanceof Response) return body;
  const refusal = refuseTarget(c, body);
  if (refusal !== null) return refusal;
  // Before there is anything to sign.
  const key = await keyOf(c, body.type);
  const answer = await ownOf(c).put(c.req.param("id"), await wishOf(c, body));
  if (!answer.ok && answer.code === "conflict") {
    return refuseSubscription(c, "SUBSCRIPTION_ALREADY_EXISTS");
  }
  if (!answer.ok) {
    const max = readQuotas(c.env).LIMIT_SUBSCRIPTIONS_PER_ORG;
    const met = {
      limit: "subscriptions_per_org",
      max,
      retryAfterSeconds: fullRetrySeconds,
    } as const;
    return limited(c, met);
  }
  return c.json(wireSubscription(answer.view, key), answer.created ? 201 : 200);
});

subscriptions.get(path, async (c) => {
  const view = await ownOf(c).view(c.req.param("id"));
  if (view === null) return refuseSubscription(c, "SUBSCRIPTION_NOT_FOUND");
  return c.json(wireSubscription(view, await keyOf(c, view.target.type)), 200);
});

subscriptions.delete(path, async (c) => {
  await ownOf(c).remove(c.req.param("id"));
  return c.body(null, 204);
});

subscriptions.post(`${path}/streams`, async (c) => {
  const body = await readWish(c, wire.MoreStreams);
  if (body instanceof Response) return body;
  const answer = await ownOf(c).addStreams(c.req.param("id"), body.streams);
  if (answer.ok) return c.body(null, 204);
  if (answer.code === "not_found") return refuseSubscription(c, "SUBSCRIPTION_NOT_FOUND");
  const message =
    answer.code === "wake_stream"
      ? "streams: a subscription cannot follow its own wake stream"
      : `streams: a subscription names ${limits.subscriptionStreams} streams at most`;
  return refuseSubscription(c, "INVALID_REQUEST", { message });
});

// A name may hold line breaks, which a dot does not match.
subscriptions.delete(`${path}/streams/:stream{[^]+}`, async (c) => {
  const { id, stream } = c.req.param();
  const isKnown = await ownOf(c).removeStream(id ?? "", (stream ?? "").replace(/^\/+|\/+$/g, ""));
  return isKnown ? c.body(null, 204) : refuseSubscription(c, "SUBSCRIPTION_NOT_FOUND");
});

/** Gives a worker what there is to read, until it has been silent for the lease. */
subscriptions.post(`${path}/claim`, async (c) => {
  const body = await readWish(c, wire.ClaimWish);
  if (body instanceof Response) return body;
  const answer = await ownOf(c).claim(c.req.param("id"), body.worker);
  if (!answer.ok) return refuseClaim(c, answer);
  const claim: wire.Claim = {
    wake_id: answer.wakeId,
    generation: answer.generation,
    token: answer.token,
    streams: wokenStreams(answer.streams),
    lease_ttl_ms: answer.leaseTtlMs,
  };
  return c.json(claim, 200, { "cache-control": "no-store" });
});

/** The org's own keys: with one key for all, every org could sign for every other. */
subscriptions.get(jwksPath, async (c) => {
  const { kid, x } = await signingKeyOf(c.env, c.var.caller.orgId);
  const key = { kty: "OKP", crv: "Ed25519", x, kid, use: "sig", alg: "EdDSA" } as const;
  const jwks: wire.Jwks = { keys: [key] };
  return c.body(JSON.stringify(jwks), 200, {
    "content-type": "application/jwk-set+json",
    "cache-control": "private, max-age=300",
  });
});

function ownOf(c: Caller) {
  return subscriptionsObject(c.env, c.var.caller.orgId);
}

async function keyOf(c: Caller, type: wire.Subscription["type"]) {
  return type === "webhook" ? signingKeyOf(c.env, c.var.caller.orgId) : null;
}

function refuseTarget(c: Caller, wish: wire.SubscriptionWish): Response | null {
  if (wish.type === "pull-wake") {
    if (!wish.streams.includes(wish.wake_stream)) return null;
    const message = "streams: a subscription cannot follow its own wake stream";
    return refuseSubscription(c, "INVALID_REQUEST", { message });
  }
  const checked = checkUrl(wish.webhook.url, readWebhookSettings(c.env).allowLoopback);
  if (checked.ok) return null;
  const message = `webhook.url: ${checked.reason}`;
  return refuseSubscription(c, "WEBHOOK_URL_REJECTED", { message });
}

async function wishOf(c: Caller, wish: wire.SubscriptionWish): Promise<SubscriptionWish> {
  const asked = {
    target:
      wish.type === "webhook"
        ? ({ type: "webhook", url: wish.webhook.url } as const)
        : ({ type: "pull-wake", wakeStream: wish.wake_stream } as const),
    pattern: wish.pattern ?? null,
    streams: [...new Set(wish.streams)].toSorted(),
    leaseTtlMs: wish.lease_ttl_ms,
    description: wish.description ?? null,
  };
  const configHash = await sha256Hex(JSON.stringify(asked));
  const { orgId } = c.var.caller;
  return { ...asked, orgId, origin: new URL(c.req.url).origin, configHash };
}

function refuseClaim(c: Caller, answer: Exclude<ClaimAnswer, { readonly ok: true }>): Response {
  switch (answer.code) {
    case "not_found":
      return refuseSubscription(c, "SUBSCRIPTION_NOT_FOUND");
    case "wrong_type":
      return refuseSubscription(c, "INVALID_REQUEST", { message: "only pull-wake is claimed" });
    case "no_pending_work":
      return refuseSubscription(c, "NO_PENDING_WORK");
    case "already_claimed": {
      const { holder, generation } = answer;
      return refuseSubscription(c, "ALREADY_CLAIMED", { current_holder: holder, generation });
    }
  }
}
