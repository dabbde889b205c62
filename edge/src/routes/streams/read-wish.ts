import type { Context } from "hono";
import type { z } from "zod";
import { refuseSubscription, refuseWish } from "../../subscriptions/refuse-subscription.ts";

/** A JSON body about a subscription, or the answer that refuses it. */
export async function readWish<Schema extends z.ZodType>(
  c: Context,
  schema: Schema,
): Promise<z.output<Schema> | Response> {
  let json: unknown;
  try {
    json = JSON.parse(await c.req.text());
  } catch {
    return refuseSubscription(c, "INVALID_REQUEST", { message: "body: is not JSON" });
  }
  const parsed = schema.safeParse(json);
  return parsed.success ? parsed.data : refuseWish(c, parsed.error);
}
