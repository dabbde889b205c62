import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";

export const checkout = dirname(dirname(fileURLToPath(import.meta.url)));

/** Something that the user must change, told in one sentence, without a stack. */
export class StartRefused extends Error {
  override readonly name = "StartRefused";
}

/** It travels in a header. */
const secret = z.string().regex(/^[!-~]{8,}$/, "at least 8 ASCII characters, without blanks");

const Knobs = z.object({
  PORT: z.coerce.number().int().min(1).max(65_535).default(8787),
  HOST: z.string().default("127.0.0.1"),
  AGENT_API_KEY: secret.optional(),
  POOL_TOKEN: secret.optional(),
  STATE_DIR: z.string().optional(),
  WORKSPACE_ROOT: z.string().optional(),
});

/** Runners set timers by them, and a timer takes no more than this. */
const positive = z.coerce
  .number()
  .int()
  .positive()
  .max(2 ** 31 - 1)
  .transform(String)
  .optional();

const days = z.string().regex(/^\d+$/, "days").optional();

/** The Worker's own settings. It would notice a wrong one only at the first run. */
export const EdgeKnobs = z.object({
  CORS_ORIGINS: z.string().optional().describe("origins of browsers, by comma (localhost)"),
  DISPATCH_FAST_PATH: z
    .enum(["on", "off"])
    .optional()
    .describe("off: runs reach a runner by the queue alone (on)"),
  LEASE_MS: positive.describe("a runner that is silent for this is replaced (30000)"),
  START_DEADLINE_MS: positive.describe("a run waits this long for a runner (86400000)"),
  ARCHIVE_AFTER_MS: positive.describe("after its end a run's log is archived (600000)"),
  LOG_RETENTION_DAYS: days.describe("days for which archived logs are kept (for ever)"),
  LONG_POLL_MS: positive.describe("a long-poll of a stream waits this long (20000)"),
  SSE_LIFETIME_MS: positive.describe("a stream's live=sse goes on in another response (60000)"),
  LIMIT_REQUESTS_PER_SECOND: positive.describe("requests per second of one API key (1000)"),
  LIMIT_READERS_PER_LOG: positive.describe("readers of one run or stream (1000)"),
  LIMIT_READERS_PER_ORG: positive.describe("readers in all (10000)"),
  LIMIT_OPEN_RUNS_PER_PROJECT: positive.describe("runs of a project that are not over (1000)"),
  LIMIT_OPEN_RUNS_PER_ORG: positive.describe("runs that are not over in all (10000)"),
  LIMIT_STREAM_BYTES: positive.describe("bytes that one stream may hold (1073741824)"),
  MAX_ATTEMPTS: positive.describe("attempts of a run (3)"),
  WEBHOOK_ALLOW_LOOPBACK: z
    .enum(["on", "off"])
    .default("on")
    .describe("webhooks may be sent to this machine, by http too (on, for development)"),
  WEBHOOK_RETRY_SECONDS: z
    .string()
    .regex(/^\d+(,\d+)*$/, "seconds, by comma")
    .optional()
    .describe("seconds between the tries of a webhook (5,30,120,600,3600,10800,21600,36000)"),
  WEBHOOK_LOG_DAYS: days.describe("days for which settled webhook deliveries are listed (30)"),
  DOH_URL: z
    .url()
    .optional()
    .describe("DNS over HTTPS for webhooks (https://cloudflare-dns.com/dns-query)"),
});

export interface Settings {
  readonly host: string;
  readonly port: number;
  readonly stateDir: string;
  readonly workspaceRoot: string;
  readonly apiKey: string | undefined;
  readonly poolToken: string | undefined;
  readonly edge: Readonly<Record<string, string>>;
}

/** Reads the knobs of `npm start` and `npm run edge`. Throws StartRefused, naming what is wrong. */
export function readSettings(raw: NodeJS.ProcessEnv): Settings {
  // `PORT=` in an env file means "not set".
  const given = Object.fromEntries(Object.entries(raw).filter(([, value]) => value?.trim()));
  const knobs = Knobs.safeParse(given);
  if (!knobs.success) throw new StartRefused(z.prettifyError(knobs.error));
  const edge = EdgeKnobs.safeParse(given);
  if (!edge.success) throw new StartRefused(z.prettifyError(edge.error));
  const { HOST, PORT, STATE_DIR, WORKSPACE_ROOT, AGENT_API_KEY, POOL_TOKEN } = knobs.data;
  const stateDir = resolve(checkout, STATE_DIR ?? ".state");
  // Derived from the state's name, so that a second state gets workspaces of its own.
  const besideState =
    STATE_DIR === undefined ? join(checkout, ".workspaces") : `${stateDir}-workspaces`;
  return {
    host: HOST,
    port: PORT,
    stateDir,
    workspaceRoot: resolve(checkout, WORKSPACE_ROOT ?? besideState),
    apiKey: AGENT_API_KEY,
    poolToken: POOL_TOKEN,
    edge: Object.fromEntries(
      Object.entries(edge.data).flatMap(([name, value]) => (value ? [[name, value]] : [])),
    ),
  };
}

/** Adds what the checkout's `.env` says and the environment does not. */
export function loadEnvFile(): void {
  try {
    process.loadEnvFile(join(checkout, ".env"));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}
