import { isWebhookEvent, type WebhookEvent } from "@millrace/contracts";
import { retryDelay } from "./decide-due.ts";

/** An event that webhooks are owed. The type stands in the key: the log may have left the object by then. */
export type WebhookKey = `webhook:${number}:${WebhookEvent}`;

export const webhookKey = (seq: number, type: WebhookEvent): WebhookKey => `webhook:${seq}:${type}`;

export function isWebhookKey(what: string): what is WebhookKey {
  return what.startsWith("webhook:");
}

export function parseWebhookKey(
  what: string,
): { readonly seq: number; readonly type: WebhookEvent } | null {
  const [kind, seq, type] = what.split(":");
  if (kind !== "webhook" || type === undefined || !isWebhookEvent(type)) return null;
  return { seq: Number(seq), type };
}

export interface PendingDelivery {
  readonly id: string;
  readonly nextAt: number;
}

/** The queue brings the next try by itself; the run only looks whether it did. */
const slackMs = 3_000;

/**
 * When the run looks after its deliveries again. One that could be tried now has just been sent to the queue, which may
 * forget it; one that waits for its next try has its message in the queue, which may have forgotten it by then.
 */
export function decideNextLook(
  pending: readonly PendingDelivery[],
  looks: number,
  now: number,
): number | null {
  const [first] = pending.map(({ nextAt }) => nextAt).toSorted((a, b) => a - b);
  if (first === undefined) return null;
  return first > now ? first + slackMs : now + retryDelay("dispatch", looks);
}
