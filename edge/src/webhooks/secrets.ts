import { limits } from "@millrace/contracts";
import { d1 } from "@millrace/migrations";
import { and, eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { seal, unseal } from "./sealing.ts";
import { makeSecret } from "./sign.ts";

const { webhookSecrets } = d1;

/** Whose secret: a webhook's, or, under the empty id, that of all webhooks which runs of the project name themselves. */
export interface SecretOwner {
  readonly orgId: string;
  readonly projectId: string;
  readonly webhookId: string;
}

export interface SecretStore {
  readonly DB: D1Database;
  readonly SEALING_KEY: string;
}

export const runSecretOf = (project: Omit<SecretOwner, "webhookId">): SecretOwner => ({
  ...project,
  webhookId: "",
});

export interface NewSecret {
  /** To be shown once; only `sealed` is kept. */
  readonly secret: string;
  readonly sealed: string;
}

export async function makeSealedSecret(owner: SecretOwner, key: string): Promise<NewSecret> {
  const secret = makeSecret();
  return { secret, sealed: await seal(secret, placeOf(owner), key) };
}

/** Replaces a secret, or makes the first one. The one before goes on signing until `previousUntil`. */
export async function rotateSecret(
  env: SecretStore,
  owner: SecretOwner,
  now: number,
): Promise<{ readonly secret: string; readonly previousUntil: number | null }> {
  const { secret, sealed } = await makeSealedSecret(owner, env.SEALING_KEY);
  const previousUntil = now + limits.webhookOldSecretMs;
  const [row] = await drizzle(env.DB)
    .insert(webhookSecrets)
    .values({ ...owner, sealed })
    .onConflictDoUpdate({
      target: [webhookSecrets.orgId, webhookSecrets.projectId, webhookSecrets.webhookId],
      set: { previousSealed: webhookSecrets.sealed, previousUntil, sealed },
    })
    .returning();
  return { secret, previousUntil: row?.previousUntil ?? null };
}

/** Every secret that signs now, the newest first. */
export async function signingSecrets(
  env: SecretStore,
  owner: SecretOwner,
  now: number,
): Promise<readonly string[]> {
  const [row] = await drizzle(env.DB).select().from(webhookSecrets).where(isOf(owner));
  if (row === undefined) throw new Error("a webhook without a secret");
  const isOldValid = row.previousUntil !== null && row.previousUntil > now;
  const sealed = [row.sealed, ...(isOldValid && row.previousSealed ? [row.previousSealed] : [])];
  return Promise.all(sealed.map((text) => unseal(text, placeOf(owner), env.SEALING_KEY)));
}

function isOf({ orgId, projectId, webhookId }: SecretOwner) {
  return and(
    eq(webhookSecrets.orgId, orgId),
    eq(webhookSecrets.projectId, projectId),
    eq(webhookSecrets.webhookId, webhookId),
  );
}

const placeOf = ({ orgId, projectId, webhookId }: SecretOwner): string =>
  `webhook/${orgId}/${projectId}/${webhookId}`;
