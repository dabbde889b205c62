import type { Context } from "hono";
import type { CallerEnv } from "../edge-env.ts";
import { checkUrl } from "../outbound/check-url.ts";
import { problem, type ProblemResponse } from "../problem.ts";
import { readWebhookSettings } from "./webhook-settings.ts";

/** What a URL that we would never send to is answered with; null: it may do. Its host is resolved at each try. */
export function refuseUrl(
  c: Context<CallerEnv>,
  field: string,
  url: string,
): ProblemResponse | null {
  const checked = checkUrl(url, readWebhookSettings(c.env).allowLoopback);
  if (checked.ok) return null;
  const message = `${field}: ${checked.reason}`;
  return problem(c, "invalid_argument", { message, details: { field } });
}
