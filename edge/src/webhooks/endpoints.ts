import { limits, WebhookEvent, type PageQuery, type v1Webhooks } from "@millrace/contracts";
import type { Page } from "@millrace/durable-objects";
import { d1 } from "@millrace/migrations";
import { and, asc, count, eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { v7 as uuidv7 } from "uuid";
import { makeSealedSecret, runSecretOf, type SecretStore } from "./secrets.ts";

const { webhooks, webhookSecrets } = d1;

export type Endpoint = Readonly<typeof webhooks.$inferSelect>;

export interface Place {
  readonly orgId: string;
  readonly projectId: string;
}

const everyEvent = WebhookEvent.options;

/** A project's webhook with its secret, which is shown this once; null: the project has all that it may have. */
export async function createEndpoint(
  env: SecretStore,
  place: Place,
  { url, events = everyEvent }: v1Webhooks.WebhookTarget,
  now: number,
): Promise<{ readonly endpoint: Endpoint; readonly secret: string } | null> {
  const id = uuidv7();
  const { secret, sealed } = await makeSealedSecret({ ...place, webhookId: id }, env.SEALING_KEY);
  const { orgId, projectId } = place;
  // The bound is checked in the statement that inserts: of two creates at once the second sees the first.
  const [inserted] = await env.DB.batch([
    env.DB.prepare(
      "INSERT INTO webhooks (id, org_id, project_id, run_id, url, events, created_at, updated_at)" +
        " SELECT ?1, ?2, ?3, '', ?4, ?5, ?6, ?6 WHERE" +
        " (SELECT count(*) FROM webhooks WHERE org_id = ?2 AND project_id = ?3 AND run_id = '') < ?7",
    ).bind(id, orgId, projectId, url, JSON.stringify(events), now, limits.webhooksPerProject),
    env.DB.prepare(
      "INSERT INTO webhook_secrets (org_id, project_id, webhook_id, sealed)" +
        " SELECT org_id, project_id, id, ?2 FROM webhooks WHERE id = ?1",
    ).bind(id, sealed),
  ]);
  if (inserted?.meta.changes !== 1) return null;
  const times = { createdAt: now, updatedAt: now };
  return {
    endpoint: { id, ...place, runId: "", url, events, disabledReason: null, ...times },
    secret,
  };
}

/**
 * The webhook that a run names itself; written before the run is accepted, so that none is accepted without it. It is
 * signed with the project's secret for runs, which is made here if nobody has asked for it yet.
 */
export async function createRunEndpoint(
  env: SecretStore,
  place: Place & { readonly runId: string },
  { url, events = everyEvent }: v1Webhooks.WebhookTarget,
  now: number,
): Promise<void> {
  const owner = runSecretOf({ orgId: place.orgId, projectId: place.projectId });
  const { sealed } = await makeSealedSecret(owner, env.SEALING_KEY);
  const times = { createdAt: now, updatedAt: now };
  const db = drizzle(env.DB);
  await db.batch([
    db
      .insert(webhookSecrets)
      .values({ ...owner, sealed })
      .onConflictDoNothing(),
    db.insert(webhooks).values({ id: uuidv7(), ...place, url, events, ...times }),
  ]);
}

/** The run that it was for does not exist: its request was a repeat, or was refused. */
export async function dropRunEndpoint(
  db: D1Database,
  orgId: string,
  projectId: string,
  runId: string,
): Promise<void> {
  const isOfRun = and(
    eq(webhooks.orgId, orgId),
    eq(webhooks.projectId, projectId),
    eq(webhooks.runId, runId),
  );
  await drizzle(db).delete(webhooks).where(isOfRun);
}

export async function listEndpoints(
  db: D1Database,
  place: Place,
  { limit, offset }: PageQuery,
): Promise<Page<Endpoint>> {
  const registry = drizzle(db);
  const [items, [counted]] = await registry.batch([
    registry
      .select()
      .from(webhooks)
      .where(ofProject(place))
      .orderBy(asc(webhooks.createdAt), asc(webhooks.id))
      .limit(limit)
      .offset(offset),
    registry.select({ total: count() }).from(webhooks).where(ofProject(place)),
  ]);
  return { items, total: counted?.total ?? 0 };
}

export async function findEndpoint(
  db: D1Database,
  place: Place,
  id: string,
): Promise<Endpoint | null> {
  const [found] = await drizzle(db)
    .select()
    .from(webhooks)
    .where(and(ofProject(place), eq(webhooks.id, id)));
  return found ?? null;
}

/** Null: there is no such webhook. */
export async function updateEndpoint(
  db: D1Database,
  endpoint: Place & { readonly id: string },
  { url, events, disabled }: v1Webhooks.WebhookUpdate,
  now: number,
): Promise<Endpoint | null> {
  // One that a receiver's 410 disabled stays so for that reason.
  const requested = sql`coalesce(${webhooks.disabledReason}, 'requested')`;
  const [updated] = await drizzle(db)
    .update(webhooks)
    .set({
      ...(url === undefined ? {} : { url }),
      ...(events === undefined ? {} : { events }),
      ...(disabled === undefined ? {} : { disabledReason: disabled ? requested : null }),
      updatedAt: now,
    })
    .where(and(ofProject(endpoint), eq(webhooks.id, endpoint.id)))
    .returning();
  return updated ?? null;
}

/** False: there is no such webhook. */
export async function deleteEndpoint(db: D1Database, place: Place, id: string): Promise<boolean> {
  const registry = drizzle(db);
  const [deleted] = await registry.batch([
    registry
      .delete(webhooks)
      .where(and(ofProject(place), eq(webhooks.id, id)))
      .returning({ id: webhooks.id }),
    registry
      .delete(webhookSecrets)
      .where(
        and(
          eq(webhookSecrets.orgId, place.orgId),
          eq(webhookSecrets.projectId, place.projectId),
          eq(webhookSecrets.webhookId, id),
        ),
      ),
  ]);
  return deleted.length > 0;
}

/** The project's own webhooks; those of single runs are shown by their deliveries only. */
function ofProject({ orgId, projectId }: Place) {
  return and(eq(webhooks.orgId, orgId), eq(webhooks.projectId, projectId), eq(webhooks.runId, ""));
}
