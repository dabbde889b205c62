import type { RunSpec, WebhookEvent } from "@millrace/contracts";
import type { PlatformEnv } from "../platform-env.ts";
import type { DueItem } from "./decide-due.ts";
import { decideNextLook, parseWebhookKey, type PendingDelivery } from "./decide-webhook.ts";

// Webhooks that came after the event are not told of it.
const planDeliveries =
  "INSERT INTO webhook_deliveries (id, org_id, project_id, run_id, webhook_id, seq, type, event_at," +
  " status, tries, next_at, created_at)" +
  " SELECT ?1 || id, org_id, project_id, ?2, id, ?3, ?4, ?5, 'pending', 0, ?6, ?6 FROM webhooks" +
  " WHERE org_id = ?7 AND project_id = ?8 AND run_id IN ('', ?2) AND disabled_reason IS NULL" +
  " AND created_at <= ?5 AND EXISTS (SELECT 1 FROM json_each(webhooks.events) WHERE value = ?4)" +
  " ON CONFLICT (id) DO NOTHING";

const findPending =
  "SELECT id, next_at AS nextAt FROM webhook_deliveries" +
  " WHERE org_id = ?1 AND run_id = ?2 AND seq = ?3 AND status = 'pending'";

interface OwedEvent {
  readonly seq: number;
  readonly type: WebhookEvent;
}

/**
 * Sees to it that everyone who wants to hear of one event is told: writes the deliveries, and asks the queue for those
 * that can be tried now. The edge delivers and settles them. Answers when to look again; null: nothing is left to do.
 */
export async function advanceWebhooks(
  env: Pick<PlatformEnv, "DB" | "WEBHOOKS">,
  spec: RunSpec,
  item: DueItem,
): Promise<number | null> {
  const event = parseWebhookKey(item.what);
  if (event === null) return null;
  const pending = await pendingOf(env.DB, spec, event, item.mark);
  const now = Date.now();
  const ready = pending.filter(({ nextAt }) => nextAt <= now);
  const messages = ready.map(({ id }) => ({ body: { deliveryId: id } }));
  if (messages.length > 0) await env.WEBHOOKS.sendBatch(messages);
  return decideNextLook(pending, item.tries, now);
}

/** A positive `eventAt` says that the deliveries may not have been written yet. */
async function pendingOf(
  db: D1Database,
  { orgId, projectId, runId }: RunSpec,
  { seq, type }: OwedEvent,
  eventAt: number,
): Promise<readonly PendingDelivery[]> {
  const find = db.prepare(findPending).bind(orgId, runId, seq);
  if (eventAt <= 0) return (await find.all<PendingDelivery>()).results;
  const plan = db
    .prepare(planDeliveries)
    .bind(`${runId}_${seq}_`, runId, seq, type, eventAt, Date.now(), orgId, projectId);
  const [, found] = await db.batch<PendingDelivery>([plan, find]);
  return found?.results ?? [];
}
