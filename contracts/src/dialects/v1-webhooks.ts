import { z } from "zod";
import { ProjectId, RunId } from "../ids.ts";
import { limits } from "../limits.ts";
import { DeliveryError, DeliveryStatus, WebhookEvent } from "../webhook.ts";

/** Webhooks of the `/v1` dialect. Times are ISO 8601. */

const Url = z
  .url("must be a URL")
  .max(limits.webhookUrlMaxChars)
  .describe("https on port 443, without credentials. Redirects are not followed.");

const Events = z
  .array(WebhookEvent)
  .min(1)
  .overwrite((events) => [...new Set(events)])
  .describe("What it is told of; everything when left out.");

/** Where a run's own news go. */
export const WebhookTarget = z
  .object({ url: Url, events: Events.optional() })
  .meta({ id: "WebhookTarget" });
export type WebhookTarget = z.infer<typeof WebhookTarget>;

export const WebhookUpdate = z
  .object({
    url: Url.optional(),
    events: Events.optional(),
    disabled: z.boolean().optional().describe("False: enable it again, after a 410 too."),
  })
  .meta({ id: "WebhookUpdate" });
export type WebhookUpdate = z.infer<typeof WebhookUpdate>;

const webhook = {
  id: z.uuid(),
  projectId: ProjectId,
  url: z.string(),
  events: z.array(WebhookEvent),
  disabled: z.boolean(),
  /** Why: the receiver answered 410, or somebody asked for it. */
  disabledReason: z.enum(["gone", "requested"]).nullable(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
};
export const Webhook = z.object(webhook).meta({ id: "Webhook" });
export type Webhook = z.infer<typeof Webhook>;

const Secret = z
  .string()
  .describe("`whsec_` and the key in base64, as Standard Webhooks has it. Shown only here.");

export const WebhookCreated = z
  .object({ ...webhook, secret: Secret })
  .meta({ id: "WebhookCreated" });
export type WebhookCreated = z.infer<typeof WebhookCreated>;

export const WebhookSecret = z
  .object({
    secret: Secret,
    previousValidUntil: z.iso
      .datetime()
      .nullable()
      .describe("Until then deliveries are signed with the secret before as well."),
  })
  .meta({ id: "WebhookSecret" });
export type WebhookSecret = z.infer<typeof WebhookSecret>;

export const WebhookDeleted = z
  .object({ id: z.uuid(), deleted: z.literal(true) })
  .meta({ id: "WebhookDeleted" });

export const DeliveryAttempt = z.object({
  at: z.iso.datetime(),
  ok: z.boolean(),
  /** Null: there was no answer. */
  statusCode: z.int().nullable(),
  durationMs: z.int().nonnegative(),
  error: DeliveryError.nullable(),
  /** When the next was planned after this one; null: none. */
  nextAttemptAt: z.iso.datetime().nullable(),
});
export type DeliveryAttempt = z.infer<typeof DeliveryAttempt>;

export const WebhookDelivery = z
  .object({
    /** The `webhook-id` header of every try. */
    id: z.string(),
    webhookId: z.uuid(),
    /** Null: the webhook was deleted. */
    url: z.string().nullable(),
    runId: RunId,
    /** The event's number in the run. */
    seq: z.int().positive(),
    type: WebhookEvent,
    status: DeliveryStatus,
    createdAt: z.iso.datetime(),
    settledAt: z.iso.datetime().nullable(),
    nextAttemptAt: z.iso.datetime().nullable(),
    attempts: z.array(DeliveryAttempt),
  })
  .meta({ id: "WebhookDelivery" });
export type WebhookDelivery = z.infer<typeof WebhookDelivery>;
