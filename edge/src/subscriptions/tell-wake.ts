import { subscriptions } from "@millrace/contracts";
import type { PlatformEnv, TakenWake, TellOutcome, WakeMessage } from "@millrace/durable-objects";
import { logError } from "../log.ts";
import { subscriptionsObject } from "../objects.ts";
import { postChecked } from "../outbound/post-checked.ts";
import { readWebhookSettings } from "../webhooks/webhook-settings.ts";
import { signatureOf } from "./signing-key.ts";
import { subscriptionUrl, wokenStreams } from "./wire.ts";

/** An answer longer than this says nothing that we understand. */
const answerMaxBytes = 4_096;

/**
 * Tells a wake to its receiver, if it is still to be told. Throws only when the subscriptions' object fails: then the message
 * may come again.
 */
export async function tellWake(env: PlatformEnv, message: WakeMessage): Promise<void> {
  const { orgId, subscriptionId, generation } = message;
  const own = subscriptionsObject(env, orgId);
  const wake = await own.takeWake(subscriptionId, generation);
  if (wake === null) return;
  const outcome = await send(env, orgId, wake).catch((error: unknown): TellOutcome => {
    logError("wake not made", { ...message, error });
    return "failed";
  });
  await own.wakeTold(subscriptionId, wake.wakeId, outcome);
}

async function send(env: PlatformEnv, orgId: string, wake: TakenWake): Promise<TellOutcome> {
  if (wake.key === null) throw new Error("a subscription without a signing key");
  const body = JSON.stringify(payloadOf(wake));
  const timestamp = Math.floor(Date.now() / 1000);
  const signature = await signatureOf({ orgId, body, timestamp }, wake.key, env.SEALING_KEY);
  const headers = {
    "content-type": "application/json",
    "user-agent": "millrace-subscriptions/1",
    "webhook-signature": signature,
  };
  const post = { url: wake.url, headers, body, answerMaxBytes };
  const posted = await postChecked(post, readWebhookSettings(env));
  if (posted.kind === "failed" || posted.statusCode < 200 || posted.statusCode >= 300) {
    return "failed";
  }
  return isDone(posted.answer) ? "done" : "accepted";
}

function payloadOf(wake: TakenWake): subscriptions.Wake {
  return {
    subscription_id: wake.id,
    wake_id: wake.wakeId,
    generation: wake.generation,
    streams: wokenStreams(wake.streams),
    callback_url: `${subscriptionUrl(wake)}/callback`,
    callback_token: wake.token,
  };
}

function isDone(answer: string): boolean {
  try {
    return subscriptions.WakeAnswer.parse(JSON.parse(answer)).done === true;
  } catch {
    return false;
  }
}
