import { z } from "zod";

/** What a webhook can be told of: that a run is over, or that it waits for somebody. */
export const WebhookEvent = z.enum(["run.succeeded", "run.failed", "run.cancelled", "run.waiting"]);
export type WebhookEvent = z.infer<typeof WebhookEvent>;

export function isWebhookEvent(type: string): type is WebhookEvent {
  return WebhookEvent.safeParse(type).success;
}

export const DeliveryStatus = z.enum(["pending", "delivered", "dead"]);
export type DeliveryStatus = z.infer<typeof DeliveryStatus>;

/** Why one try came to nothing, as a stable code for programs. */
export const DeliveryError = z.enum([
  /** The receiver answered with something else than 2xx. */
  "http_status",
  /** A 3xx: redirects are not followed. */
  "redirect",
  /** No answer in time. */
  "timeout",
  /** No connection, or one that broke. */
  "connection_failed",
  /** The host's name has no address, or its name server does not answer. */
  "unresolvable",
  /** The URL or one of the host's addresses is one that we do not send to. */
  "address_refused",
  /** Something broke on our side. */
  "internal",
  /** The webhook was disabled or deleted in the meantime. */
  "webhook_disabled",
]);
export type DeliveryError = z.infer<typeof DeliveryError>;
