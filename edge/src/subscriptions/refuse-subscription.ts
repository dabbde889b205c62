import { subscriptions } from "@millrace/contracts";
import type { Context } from "hono";
import type { ZodError } from "zod";

type Code = subscriptions.SubscriptionErrorCode;
type Facts = Partial<Omit<subscriptions.SubscriptionProblem["error"], "code">>;

const messageOf = {
  INVALID_REQUEST: "the request is malformed",
  SUBSCRIPTION_NOT_FOUND: "no such subscription",
  SUBSCRIPTION_ALREADY_EXISTS: "another subscription has this id",
  WEBHOOK_URL_REJECTED: "nothing is sent to this URL",
  TOKEN_INVALID: "this is not the token of a wake of this subscription",
  TOKEN_EXPIRED: "the token is too old",
  FENCED: "this wake is over, or somebody else's",
  ALREADY_CLAIMED: "somebody else has claimed it",
  NO_PENDING_WORK: "there is nothing to read",
  INVALID_OFFSET: "not an offset of a followed stream between what was acknowledged and its end",
} as const satisfies Record<Code, string>;

/** The only maker of failures in the protocol's own words: one code, one status, one shape. */
export function refuseSubscription(c: Context, code: Code, facts: Facts = {}): Response {
  c.header("cache-control", "no-store");
  const error = { code, message: messageOf[code], ...facts };
  const body: subscriptions.SubscriptionProblem = { error };
  return c.json(body, subscriptions.statusOfSubscriptionError[code]);
}

/** Names what is wrong with a body. */
export function refuseWish(c: Context, { issues: [issue] }: ZodError): Response {
  const field = issue?.path.join(".") || "body";
  const message = `${field}: ${issue?.message ?? "invalid"}`;
  return refuseSubscription(c, "INVALID_REQUEST", { message });
}
