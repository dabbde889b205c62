import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";

export const checkout = dirname(dirname(fileURLToPath(import.meta.url)));

/** Something that the user must change, told in one sentence, without a stack. */
export class StartRefused extends Error {
  override readonly name = "StartRefused";
}

const Knobs = z.object({
  PORT: z.coerce.number().int().min(1).max(65_535).default(8787),
  HOST: z.string().default("127.0.0.1"),
  AGENT_API_KEY: z.string().min(8).optional(),
  POOL_TOKEN: z.string().min(8).optional(),
  STATE_DIR: z.string().optional(),
  WORKSPACE_ROOT: z.string().optional(),
});

/** Settings of the Worker that are passed on as they are; `PlatformEnv` says what each means. */
export const edgeVariables = [
  "CORS_ORIGINS",
  "DISPATCH_FAST_PATH",
  "LEASE_MS",
  "START_DEADLINE_MS",
  "MAX_ATTEMPTS",
] as const;

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
      edgeVariables.flatMap((name) => (given[name] ? [[name, given[name]]] : [])),
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
