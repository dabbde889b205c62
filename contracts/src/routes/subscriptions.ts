import { z } from "zod";
import * as subscriptions from "../dialects/subscriptions.ts";
import { limits } from "../limits.ts";
import { json, problems } from "./answers.ts";

/** Subscriptions of the Durable Streams protocol, as OpenAPI describes them. */

const tags = ["streams"];
const keyed: Record<string, string[]>[] = [{ apiKey: [] }, { bearer: [] }];
const woken: Record<string, string[]>[] = [{ wakeToken: [] }];
const ofOne = z.object({ id: z.string().min(1).max(limits.subscriptionIdMaxChars) });
const path = "/v1/stream/__ds/subscriptions/{id}";

const problem = (description: string) => json(subscriptions.SubscriptionProblem, description);
const badRequest = problem("`INVALID_REQUEST`: the request is malformed.");
const notFound = problem("`SUBSCRIPTION_NOT_FOUND`: there is no such subscription.");
const badToken = problem("`TOKEN_INVALID` or `TOKEN_EXPIRED`: not the token of this subscription.");
const refused = problem(
  "`FENCED`: the wake is somebody else's by now. `INVALID_OFFSET`: before what was acknowledged, beyond the end, or of a stream that is not followed.",
);
const keyProblems = { 401: problems[401], 403: problems[403] } as const;
const body = <T extends z.ZodType>(schema: T) => ({
  content: { "application/json": { schema } },
  required: true,
});

const ack = {
  method: "post",
  tags,
  security: woken,
  request: { params: ofOne, body: body(subscriptions.AckWish) },
  responses: {
    200: json(subscriptions.Acked, "Acknowledged; all of it or nothing."),
    400: badRequest,
    401: badToken,
    404: notFound,
    409: refused,
  },
} as const;

export const all = [
  {
    path,
    method: "put",
    operationId: "putSubscription",
    summary: "Subscribe to streams: a webhook, or workers that claim, are woken. Safe to repeat.",
    tags,
    security: keyed,
    request: { params: ofOne, body: body(subscriptions.SubscriptionWish) },
    responses: {
      200: json(subscriptions.Subscription, "It is there, and the same."),
      201: json(subscriptions.Subscription, "Created. It begins where its streams end now."),
      400: problem(
        "`INVALID_REQUEST`, or `WEBHOOK_URL_REJECTED`: a URL that nothing is ever sent to.",
      ),
      ...keyProblems,
      409: problem("`SUBSCRIPTION_ALREADY_EXISTS`: and it is another."),
      429: problems[429],
    },
  },
  {
    path,
    method: "get",
    operationId: "getSubscription",
    summary: "What a subscription is, and how far it has come.",
    tags,
    security: keyed,
    request: { params: ofOne },
    responses: {
      200: json(subscriptions.Subscription, "The subscription."),
      400: badRequest,
      ...keyProblems,
      404: notFound,
    },
  },
  {
    path,
    method: "delete",
    operationId: "deleteSubscription",
    summary: "Delete a subscription. Safe to repeat.",
    tags,
    security: keyed,
    request: { params: ofOne },
    responses: { 204: { description: "It is gone." }, 400: badRequest, ...keyProblems },
  },
  {
    path: `${path}/streams`,
    method: "post",
    operationId: "addSubscriptionStreams",
    summary: "Follow more streams, from their current ends on.",
    tags,
    security: keyed,
    request: { params: ofOne, body: body(subscriptions.MoreStreams) },
    responses: {
      204: { description: "They are followed." },
      400: badRequest,
      ...keyProblems,
      404: notFound,
    },
  },
  {
    path: `${path}/streams/{stream}`,
    method: "delete",
    operationId: "removeSubscriptionStream",
    summary: "Do not follow a stream any more, unless the pattern fits it.",
    tags,
    security: keyed,
    request: {
      params: ofOne.extend({ stream: z.string().meta({ description: "Percent-encoded." }) }),
    },
    responses: {
      204: { description: "Done." },
      400: badRequest,
      ...keyProblems,
      404: notFound,
    },
  },
  {
    path: `${path}/claim`,
    method: "post",
    operationId: "claimSubscription",
    summary: "Claim what there is to read (pull-wake).",
    tags,
    security: keyed,
    request: { params: ofOne, body: body(subscriptions.ClaimWish) },
    responses: {
      200: json(subscriptions.Claim, "It is this worker's until it has been silent for the lease."),
      400: badRequest,
      ...keyProblems,
      404: notFound,
      409: problem("`ALREADY_CLAIMED`, by `current_holder`; or `NO_PENDING_WORK`."),
    },
  },
  {
    ...ack,
    path: `${path}/ack`,
    operationId: "acknowledgeClaim",
    summary: "Say how far a claim has come, and that it lives (pull-wake).",
  },
  {
    ...ack,
    path: `${path}/callback`,
    operationId: "acknowledgeWake",
    summary: "The same from the receiver of a wake (webhook).",
  },
  {
    path: `${path}/release`,
    method: "post",
    operationId: "releaseClaim",
    summary: "Give a claim back (pull-wake).",
    tags,
    security: woken,
    request: { params: ofOne, body: body(subscriptions.ReleaseWish) },
    responses: {
      204: { description: "Somebody else may claim." },
      400: badRequest,
      401: badToken,
      404: notFound,
      409: refused,
    },
  },
  {
    path: "/v1/stream/__ds/jwks.json",
    method: "get",
    operationId: "getSubscriptionKeys",
    summary: "The public keys that verify the wakes of your organisation.",
    tags,
    security: keyed,
    responses: {
      200: {
        description: "A JSON Web Key Set (RFC 7517); Ed25519 keys (RFC 8037).",
        content: { "application/jwk-set+json": { schema: subscriptions.Jwks } },
      },
      ...keyProblems,
    },
  },
] as const;

export const wake = {
  operationId: "onSubscriptionWake",
  summary:
    "Streams of a webhook's subscription have something to read. `Webhook-Signature` is `t=<Unix seconds>,kid=<key>,ed25519=<base64url>` over `<t>.<body>`.",
  method: "post",
  path: "subscription-wake",
  tags,
  request: { body: body(subscriptions.Wake) },
  responses: {
    200: json(
      subscriptions.WakeAnswer,
      "`done`: all of it is read. Else the receiver calls back within the lease, or is woken again.",
    ),
  },
} as const;
