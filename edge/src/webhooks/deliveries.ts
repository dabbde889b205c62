import type { PageQuery } from "@millrace/contracts";
import type { Page } from "@millrace/durable-objects";
import { d1 } from "@millrace/migrations";
import { and, count, desc, eq, inArray, lte, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { TryVerdict } from "./decide-next-try.ts";
import type { Endpoint, Place } from "./endpoints.ts";

const { webhookAttempts, webhookDeliveries, webhooks } = d1;

export type Delivery = Readonly<typeof webhookDeliveries.$inferSelect>;
export type Attempt = Readonly<typeof webhookAttempts.$inferSelect>;

export interface LoggedDelivery {
  readonly delivery: Delivery;
  /** Null: the webhook was deleted. */
  readonly url: string | null;
  readonly attempts: readonly Attempt[];
}

export interface ClaimedDelivery {
  readonly delivery: Delivery;
  readonly endpoint: Endpoint | null;
}

/**
 * Takes a delivery for one try, until `until`: if the try dies on its way, another may begin then. Null: it is settled,
 * not due, or somebody else is at it, so a message that comes twice sends nothing twice.
 */
export async function claimDelivery(
  db: D1Database,
  id: string,
  { now, until }: { readonly now: number; readonly until: number },
): Promise<ClaimedDelivery | null> {
  const registry = drizzle(db);
  const isDue = and(
    eq(webhookDeliveries.id, id),
    eq(webhookDeliveries.status, "pending"),
    lte(webhookDeliveries.nextAt, now),
  );
  const [[delivery], [found]] = await registry.batch([
    registry.update(webhookDeliveries).set({ nextAt: until }).where(isDue).returning(),
    registry
      .select({ endpoint: webhooks })
      .from(webhooks)
      .innerJoin(webhookDeliveries, eq(webhookDeliveries.webhookId, webhooks.id))
      .where(eq(webhookDeliveries.id, id)),
  ]);
  return delivery === undefined ? null : { delivery, endpoint: found?.endpoint ?? null };
}

export interface FinishedTry {
  readonly at: number;
  readonly durationMs: number;
  readonly statusCode: number | null;
  readonly verdict: TryVerdict;
}

/** Logs a try and what follows from it. A delivery that was asked for anew in the meantime stays as it was asked for. */
export async function recordTry(
  db: D1Database,
  { id, nextAt, webhookId }: Delivery,
  { at, durationMs, statusCode, verdict }: FinishedTry,
): Promise<void> {
  const registry = drizzle(db);
  const { status, tries, error } = verdict;
  const endedAt = at + durationMs;
  const isPending = status === "pending";
  const settled = isPending ? {} : { settledAt: endedAt };
  const isStillClaimed = and(eq(webhookDeliveries.id, id), eq(webhookDeliveries.nextAt, nextAt));
  await registry.batch([
    registry.insert(webhookAttempts).values({
      deliveryId: id,
      at,
      ok: error === null,
      statusCode,
      durationMs,
      error,
      nextAt: verdict.nextAt,
    }),
    registry
      .update(webhookDeliveries)
      .set({ status, tries, nextAt: verdict.nextAt ?? endedAt, ...settled })
      .where(isStillClaimed),
    registry
      .update(webhooks)
      .set({ disabledReason: "gone", updatedAt: endedAt })
      .where(and(eq(webhooks.id, webhookId), verdict.disable ? sql`true` : sql`false`)),
  ]);
}

export async function listDeliveries(
  db: D1Database,
  place: Place & { readonly runId: string | undefined },
  { limit, offset }: PageQuery,
): Promise<Page<LoggedDelivery>> {
  const registry = drizzle(db);
  const { runId } = place;
  const wanted = and(
    ofProject(place),
    runId === undefined ? undefined : eq(webhookDeliveries.runId, runId),
  );
  const [rows, [counted]] = await registry.batch([
    registry
      .select({ delivery: webhookDeliveries, url: webhooks.url })
      .from(webhookDeliveries)
      .leftJoin(webhooks, eq(webhooks.id, webhookDeliveries.webhookId))
      .where(wanted)
      .orderBy(desc(webhookDeliveries.createdAt), desc(webhookDeliveries.id))
      .limit(limit)
      .offset(offset),
    registry.select({ total: count() }).from(webhookDeliveries).where(wanted),
  ]);
  return { items: await withAttempts(db, rows), total: counted?.total ?? 0 };
}

export async function findDelivery(
  db: D1Database,
  place: Place,
  id: string,
): Promise<(LoggedDelivery & { readonly isDisabled: boolean }) | null> {
  const rows = await drizzle(db)
    .select({
      delivery: webhookDeliveries,
      url: webhooks.url,
      disabledReason: webhooks.disabledReason,
    })
    .from(webhookDeliveries)
    .leftJoin(webhooks, eq(webhooks.id, webhookDeliveries.webhookId))
    .where(and(ofProject(place), eq(webhookDeliveries.id, id)));
  const [found] = await withAttempts(db, rows);
  const [row] = rows;
  if (found === undefined || row === undefined) return null;
  return { ...found, isDisabled: row.url === null || row.disabledReason !== null };
}

/** Makes a delivery pending again, with all its tries before it. */
export async function reopenDelivery(db: D1Database, id: string, now: number): Promise<void> {
  await drizzle(db)
    .update(webhookDeliveries)
    .set({ status: "pending", tries: 0, nextAt: now, settledAt: null })
    .where(eq(webhookDeliveries.id, id));
}

async function withAttempts(
  db: D1Database,
  rows: readonly { readonly delivery: Delivery; readonly url: string | null }[],
): Promise<LoggedDelivery[]> {
  // One parameter for all ids: D1 takes a hundred of them.
  const ids = JSON.stringify(rows.map(({ delivery }) => delivery.id));
  const registry = drizzle(db);
  const attempts = await registry
    .select()
    .from(webhookAttempts)
    .where(inArray(webhookAttempts.deliveryId, sql`(SELECT value FROM json_each(${ids}))`))
    .orderBy(webhookAttempts.id);
  const byDelivery = Map.groupBy(attempts, ({ deliveryId }) => deliveryId);
  return rows.map(({ delivery, url }) => ({
    delivery,
    url,
    attempts: byDelivery.get(delivery.id) ?? [],
  }));
}

function ofProject({ orgId, projectId }: Place) {
  return and(eq(webhookDeliveries.orgId, orgId), eq(webhookDeliveries.projectId, projectId));
}
