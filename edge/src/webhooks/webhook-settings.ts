import { limits } from "@millrace/contracts";
import type { PlatformEnv } from "@millrace/durable-objects";
import { z } from "zod";
import type { Outbound } from "../outbound/post-checked.ts";

/** 5 s, 30 s, 2 min, 10 min, 1 h, 3 h, 6 h, 10 h: nine tries in about 20 hours. A queue delays by 12 hours at most. */
const defaultDelaysSeconds = [5, 30, 120, 600, 3600, 10_800, 21_600, 36_000];
const defaultDohUrl = "https://cloudflare-dns.com/dns-query";

const Delays = z
  .string()
  .transform((text) => text.split(",").map(Number))
  .pipe(z.array(z.number().positive().max(39_000)).max(15));

type Knobs = Pick<PlatformEnv, "WEBHOOK_ALLOW_LOOPBACK" | "WEBHOOK_RETRY_SECONDS" | "DOH_URL">;

export interface WebhookSettings extends Outbound {
  readonly delaysSeconds: readonly number[];
}

/** Reads the knobs of the Worker's environment; what is unset has the production value. */
export function readWebhookSettings(env: Knobs): WebhookSettings {
  const delays = env.WEBHOOK_RETRY_SECONDS;
  return {
    allowLoopback: env.WEBHOOK_ALLOW_LOOPBACK === "on",
    dohUrl: env.DOH_URL ?? defaultDohUrl,
    timeoutMs: limits.webhookTimeoutMs,
    delaysSeconds: delays === undefined ? defaultDelaysSeconds : Delays.parse(delays),
  };
}
