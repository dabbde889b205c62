import type { PlatformEnv } from "@millrace/durable-objects";
import { z } from "zod";

const batch = 500;
/** What is left over is for the next hour: a cron that runs on and on would meet itself. */
const budgetMs = 60_000;
const dayMs = 24 * 60 * 60_000;

// One order, so that both statements of a batch mean the same deliveries. One that is pending is settled at null.
const oldOnes =
  "SELECT id FROM webhook_deliveries WHERE settled_at <= ?1 ORDER BY settled_at, id LIMIT ?2";

const Days = z.coerce.number().nonnegative().default(30);

/** Deletes from the delivery log what was settled too many days ago, oldest first, with its tries. Safe to run twice and to die in. */
export async function pruneDeliveries(
  env: Pick<PlatformEnv, "DB" | "WEBHOOK_LOG_DAYS">,
): Promise<void> {
  const now = Date.now();
  const before = now - Days.parse(env.WEBHOOK_LOG_DAYS) * dayMs;
  const remove = (table: string, id: string) =>
    env.DB.prepare(`DELETE FROM ${table} WHERE ${id} IN (${oldOnes})`).bind(before, batch);
  for (let found = batch; found === batch && Date.now() < now + budgetMs;) {
    const [, removed] = await env.DB.batch([
      remove("webhook_attempts", "delivery_id"),
      remove("webhook_deliveries", "id"),
    ]);
    found = removed?.meta.changes ?? 0;
  }
}
