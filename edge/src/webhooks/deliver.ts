import type { v1 } from "@millrace/contracts";
import type { PlatformEnv } from "@millrace/durable-objects";
import { logError } from "../log.ts";
import { runObject, threadObject } from "../objects.ts";
import { postChecked } from "../outbound/post-checked.ts";
import { isoTime, runSummary } from "../projectors/v1/run-summary.ts";
import { decideNextTry, type TryOutcome } from "./decide-next-try.ts";
import { claimDelivery, recordTry, type ClaimedDelivery, type Delivery } from "./deliveries.ts";
import { signingSecrets } from "./secrets.ts";
import { signedHeaders } from "./sign.ts";
import { readWebhookSettings } from "./webhook-settings.ts";

/** Beyond the receiver's time: to read what is sent, and to write how it went. */
const recordSlackMs = 5_000;

/**
 * Tries one delivery once, if it is due, and logs the try. Answers when the next one is due; null: there is none to wait
 * for. Throws only when the registry fails.
 */
export async function deliver(env: PlatformEnv, deliveryId: string): Promise<number | null> {
  const settings = readWebhookSettings(env);
  const at = Date.now();
  const until = at + settings.timeoutMs + recordSlackMs;
  const claimed = await claimDelivery(env.DB, deliveryId, { now: at, until });
  if (claimed === null) return null;
  const { delivery } = claimed;
  const outcome = await attempt(env, claimed);
  const now = Date.now();
  const verdict = decideNextTry(outcome, {
    tries: delivery.tries,
    delaysSeconds: settings.delaysSeconds,
    now,
    jitter: Math.random(),
  });
  const statusCode = outcome.kind === "answered" ? outcome.statusCode : null;
  await recordTry(env.DB, delivery, { at, durationMs: now - at, statusCode, verdict });
  return verdict.nextAt;
}

async function attempt(
  env: PlatformEnv,
  { delivery, endpoint }: ClaimedDelivery,
): Promise<TryOutcome> {
  if (endpoint === null || endpoint.disabledReason !== null) {
    return { kind: "failed", error: "webhook_disabled" };
  }
  const { id, orgId, projectId } = delivery;
  const webhookId = endpoint.runId === "" ? endpoint.id : "";
  const now = Date.now();
  try {
    const [payload, secrets] = await Promise.all([
      payloadOf(env, delivery),
      signingSecrets(env, { orgId, projectId, webhookId }, now),
    ]);
    const body = JSON.stringify(payload);
    const signed = await signedHeaders({ id, timestamp: Math.floor(now / 1000), body }, secrets);
    const headers = {
      "content-type": "application/json",
      "user-agent": "millrace-webhooks/1",
      ...signed,
    };
    return await postChecked({ url: endpoint.url, headers, body }, readWebhookSettings(env));
  } catch (error) {
    // It counts as a try: what we cannot make today we may never make.
    logError("webhook not made", { deliveryId: id, error });
    return { kind: "failed", error: "internal" };
  }
}

async function payloadOf(env: PlatformEnv, delivery: Delivery): Promise<v1.WebhookPayload> {
  const { orgId, projectId, runId, seq, type, eventAt } = delivery;
  const [place, now] = await Promise.all([
    threadObject(env, orgId, projectId).run(runId),
    runObject(env, orgId, runId).view(),
  ]);
  if (place === null || !now.ok) throw new Error("the run of a delivery is not there");
  return { type, timestamp: isoTime(eventAt), data: { seq, run: runSummary(place, now.view) } };
}
