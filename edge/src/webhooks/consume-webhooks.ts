import type { PlatformEnv, WakeMessage } from "@millrace/durable-objects";
import { z } from "zod";
import { logError } from "../log.ts";
import { tellWake } from "../subscriptions/tell-wake.ts";
import { deliver } from "./deliver.ts";

const Delivery = z.object({ deliveryId: z.string() });
const Wake = z.object({
  wake: z.object({ orgId: z.string(), subscriptionId: z.string(), generation: z.int() }),
});

/** When the registry does not answer. */
const registryRetrySeconds = 30;
const maxDelaySeconds = 12 * 60 * 60;

const isDead = (queue: string) => queue.endsWith("-dead");

/**
 * Delivers what the messages name. A message is a hint: the delivery's row says whether it is due, and the alarm of the run,
 * or of the subscriptions, sends another while it is not settled. So a dead letter is only logged.
 */
export async function consumeWebhooks(batch: MessageBatch, env: PlatformEnv): Promise<void> {
  await Promise.all(batch.messages.map((message) => consume(batch.queue, message, env)));
}

async function consume(queue: string, message: Message, env: PlatformEnv): Promise<void> {
  const woken = Wake.safeParse(message.body);
  if (woken.success && !isDead(queue)) return consumeWake(woken.data.wake, message, env);
  const parsed = Delivery.safeParse(message.body);
  if (!parsed.success || isDead(queue)) {
    logError("webhook message dropped", { queue, id: message.id, body: message.body });
    return message.ack();
  }
  const { deliveryId } = parsed.data;
  try {
    const nextAt = await deliver(env, deliveryId);
    if (nextAt === null) return message.ack();
    const delaySeconds = Math.ceil((nextAt - Date.now()) / 1000);
    message.retry({ delaySeconds: Math.min(maxDelaySeconds, Math.max(0, delaySeconds)) });
  } catch (error) {
    logError("webhook delivery failed", { deliveryId, error });
    message.retry({ delaySeconds: registryRetrySeconds });
  }
}

/** When the next try is due says the subscription: it sends another message then. */
async function consumeWake(wake: WakeMessage, message: Message, env: PlatformEnv): Promise<void> {
  try {
    await tellWake(env, wake);
    message.ack();
  } catch (error) {
    logError("wake not told", { ...wake, error });
    message.retry({ delaySeconds: registryRetrySeconds });
  }
}
