import type { PlatformEnv } from "@millrace/durable-objects";
import { z } from "zod";
import { logError } from "./log.ts";
import { runObject } from "./objects.ts";
import { consumeWebhooks } from "./webhooks/consume-webhooks.ts";

const Dispatch = z.object({ orgId: z.string(), runId: z.string(), attempt: z.int() });

const isDead = (queue: string) => queue.endsWith("-dead");

/** Every queue of the Worker, told apart by name. */
export function consumeQueue(batch: MessageBatch, env: PlatformEnv): Promise<void> {
  const isWebhooks = batch.queue.startsWith("millrace-webhooks");
  return isWebhooks ? consumeWebhooks(batch, env) : consumeDispatch(batch, env);
}

/**
 * Asks each run to offer its attempt again. A message is a hint that may come twice or never: the run's own
 * alarm is the guarantee, so a dead letter is only logged.
 */
export async function consumeDispatch(batch: MessageBatch, env: PlatformEnv): Promise<void> {
  await Promise.all(batch.messages.map((message) => consume(batch.queue, message, env)));
}

async function consume(queue: string, message: Message, env: PlatformEnv): Promise<void> {
  const dispatch = Dispatch.safeParse(message.body);
  if (!dispatch.success || isDead(queue)) {
    logError("dispatch message dropped", { queue, id: message.id, body: message.body });
    return message.ack();
  }
  const { orgId, runId, attempt } = dispatch.data;
  try {
    await runObject(env, orgId, runId).redispatch(attempt);
    message.ack();
  } catch (error) {
    logError("dispatch failed", { ...dispatch.data, error });
    message.retry();
  }
}
