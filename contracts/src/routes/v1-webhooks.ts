import { z } from "zod";
import * as webhooks from "../dialects/v1-webhooks.ts";
import * as v1 from "../dialects/v1.ts";
import { limits } from "../limits.ts";
import { json, problems } from "./answers.ts";
import { projectParams, withKey } from "./params.ts";
import { PageQuery } from "./query.ts";

/** The webhook routes of `/v1` as data. */

const webhookParams = projectParams.extend({
  webhookId: z
    .string()
    .toLowerCase()
    .pipe(z.uuid())
    .meta({ type: "string", format: "uuid", description: "Id of a webhook." }),
});
const deliveryParams = projectParams.extend({
  deliveryId: z.string().max(200).meta({ description: "The `webhook-id` of a delivery." }),
});
const tags = ["webhooks"];
const body = <T extends z.ZodType>(schema: T) => ({
  body: { required: true, content: { "application/json": { schema } } },
});

export const createWebhook = {
  method: "post",
  path: "/v1/projects/{projectId}/webhooks",
  operationId: "createWebhook",
  tags,
  summary: `Tell a URL of every run of the project; at most ${limits.webhooksPerProject} of them. The secret is shown once.`,
  security: withKey,
  request: { params: projectParams, ...body(webhooks.WebhookTarget) },
  responses: {
    200: json(v1.envelope(webhooks.WebhookCreated), "The webhook and its secret."),
    ...problems,
  },
} as const;

export const listWebhooks = {
  method: "get",
  path: "/v1/projects/{projectId}/webhooks",
  operationId: "listWebhooks",
  tags,
  summary: "The project's webhooks, oldest first.",
  security: withKey,
  request: { params: projectParams, query: PageQuery },
  responses: { 200: json(v1.page(webhooks.Webhook), "A page of webhooks."), ...problems },
} as const;

export const getWebhook = {
  method: "get",
  path: "/v1/projects/{projectId}/webhooks/{webhookId}",
  operationId: "getWebhook",
  tags,
  summary: "One webhook.",
  security: withKey,
  request: { params: webhookParams },
  responses: { 200: json(v1.envelope(webhooks.Webhook), "The webhook."), ...problems },
} as const;

export const updateWebhook = {
  method: "patch",
  path: "/v1/projects/{projectId}/webhooks/{webhookId}",
  operationId: "updateWebhook",
  tags,
  summary: "Change a webhook's URL or events, disable it or enable it again.",
  security: withKey,
  request: { params: webhookParams, ...body(webhooks.WebhookUpdate) },
  responses: { 200: json(v1.envelope(webhooks.Webhook), "The webhook."), ...problems },
} as const;

export const deleteWebhook = {
  method: "delete",
  path: "/v1/projects/{projectId}/webhooks/{webhookId}",
  operationId: "deleteWebhook",
  tags,
  summary: "Delete a webhook and its secret. What is still to be delivered to it is given up.",
  security: withKey,
  request: { params: webhookParams },
  responses: { 200: json(v1.envelope(webhooks.WebhookDeleted), "It is gone."), ...problems },
} as const;

export const rotateWebhookSecret = {
  method: "post",
  path: "/v1/projects/{projectId}/webhooks/{webhookId}/secret",
  operationId: "rotateWebhookSecret",
  tags,
  summary: "Replace a webhook's secret. For a day both sign.",
  security: withKey,
  request: { params: webhookParams },
  responses: { 200: json(v1.envelope(webhooks.WebhookSecret), "The new secret."), ...problems },
} as const;

export const rotateRunWebhookSecret = {
  method: "post",
  path: "/v1/projects/{projectId}/webhooks/run-secret",
  operationId: "rotateRunWebhookSecret",
  tags,
  summary:
    "Make or replace the secret that signs for the webhooks which runs of the project name themselves. For a day both sign.",
  security: withKey,
  request: { params: projectParams },
  responses: { 200: json(v1.envelope(webhooks.WebhookSecret), "The new secret."), ...problems },
} as const;

export const listWebhookDeliveries = {
  method: "get",
  path: "/v1/projects/{projectId}/webhooks/deliveries",
  operationId: "listWebhookDeliveries",
  tags,
  summary: "What was or will be delivered, with every try, newest first.",
  security: withKey,
  request: {
    params: projectParams,
    query: PageQuery.extend({
      runId: z
        .string()
        .toLowerCase()
        .pipe(z.uuid())
        .optional()
        .meta({ type: "string", format: "uuid", description: "Only those of this run." }),
    }),
  },
  responses: {
    200: json(v1.page(webhooks.WebhookDelivery), "A page of deliveries."),
    ...problems,
  },
} as const;

export const redeliverWebhook = {
  method: "post",
  path: "/v1/projects/{projectId}/webhooks/deliveries/{deliveryId}/redeliver",
  operationId: "redeliverWebhook",
  tags,
  summary: "Deliver once more, with all its tries and the same `webhook-id`.",
  security: withKey,
  request: { params: deliveryParams },
  responses: {
    200: json(v1.envelope(webhooks.WebhookDelivery), "The delivery, pending again."),
    ...problems,
  },
} as const;

/** What a receiver is sent, as OpenAPI describes it. The signature is that of Standard Webhooks 1.0. */
export const runEvent = {
  method: "post",
  path: "run",
  operationId: "runEvent",
  tags,
  summary:
    "A run is over, or waits for somebody. At least once: `webhook-id` is the same in every try.",
  request: {
    headers: z.object({
      "webhook-id": z.string(),
      "webhook-timestamp": z.string().meta({ description: "Unix seconds of this try." }),
      "webhook-signature": z.string().meta({
        description: "`v1,` and the HMAC-SHA-256 of `id.timestamp.body` in base64; one per secret.",
      }),
    }),
    ...body(v1.WebhookPayload),
  },
  responses: {
    "2XX": { description: "Delivered. Anything else is tried again." },
    410: { description: "No more of anything: the webhook is disabled." },
  },
} as const;

/** In the order of the documentation. The fixed paths come first, so that they are no webhook's id. */
export const all = [
  createWebhook,
  listWebhooks,
  rotateRunWebhookSecret,
  listWebhookDeliveries,
  redeliverWebhook,
  getWebhook,
  updateWebhook,
  deleteWebhook,
  rotateWebhookSecret,
] as const;
