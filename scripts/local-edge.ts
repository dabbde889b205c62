import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isPortFree } from "./free-port.ts";
import { ProcessGroup } from "./process-group.ts";
import { step, tail } from "./progress.ts";
import { checkout, StartRefused, type Settings } from "./settings.ts";
import type { Secrets, StateDir } from "./state-dir.ts";

const wranglerBin = join(checkout, "node_modules/wrangler/bin/wrangler.js");
const startTimeoutMs = 120_000;
/** Names of migrations are never reused, so the same names mean the same tables. */
const migrations = readdirSync(join(checkout, "migrations/d1")).filter((name) =>
  name.endsWith(".sql"),
);

export interface LocalEdge {
  readonly url: string;
  readonly group: ProcessGroup;
  readonly logFile: string;
}

/** Migrates the local databases and starts `wrangler dev` on them; resolves when the edge answers. */
export async function startLocalEdge(
  settings: Settings,
  state: StateDir,
  secrets: Secrets,
  signal: AbortSignal,
): Promise<LocalEdge> {
  if (!(await isPortFree(settings.host, settings.port)))
    throw new StartRefused(
      `Port ${settings.port} of ${settings.host} is taken; choose another, as in PORT=8788 npm start.`,
    );
  if (!state.hasMigrated(migrations))
    await step("migrating the local database", () => migrate(state, signal));
  const logFile = state.newLog("edge");
  const url = `http://${settings.host === "0.0.0.0" ? "127.0.0.1" : settings.host}:${settings.port}`;
  const group = await step(`starting the edge on ${url}`, async () => {
    const edge = await spawnWrangler(state, logFile, devArguments(settings, state, secrets));
    await answers(url, edge, logFile, signal);
    return edge;
  });
  return { url, group, logFile };
}

async function migrate(state: StateDir, signal: AbortSignal): Promise<void> {
  const logFile = state.newLog("migrate");
  const args = ["d1", "migrations", "apply", "DB", "--local", "--persist-to", state.edge];
  const group = await spawnWrangler(state, logFile, args);
  const kill = (): void => group.signal("SIGKILL");
  signal.addEventListener("abort", kill);
  const { code } = await group.exited;
  signal.removeEventListener("abort", kill);
  signal.throwIfAborted();
  if (code !== 0) throw wranglerFailed("applying the migrations failed", logFile);
  state.setMigrated(migrations);
}

function devArguments(settings: Settings, state: StateDir, secrets: Secrets): readonly string[] {
  // A file rather than --var: arguments can be read by every user of the machine.
  const envFile = state.writePrivate(
    "edge.env",
    Object.entries({
      ...settings.edge,
      AGENT_API_KEY: secrets.apiKey,
      POOL_TOKEN: secrets.poolToken,
      RUN_TOKEN_SECRET: secrets.runTokenSecret,
      SEALING_KEY: secrets.sealingKey,
    })
      .map(([name, value]) => `${name}=${JSON.stringify(value)}\n`)
      .join(""),
  );
  return [
    "dev",
    `--ip=${settings.host}`,
    `--port=${settings.port}`,
    // Any free port: the default one would collide with another checkout's.
    "--inspector-port=0",
    `--persist-to=${state.edge}`,
    `--env-file=${envFile}`,
    "--show-interactive-dev-session=false",
  ];
}

function spawnWrangler(
  state: StateDir,
  logFile: string,
  args: readonly string[],
): Promise<ProcessGroup> {
  const { PATH, HOME, TMPDIR } = process.env;
  return ProcessGroup.spawn({
    command: process.execPath,
    args: [wranglerBin, ...args],
    cwd: checkout,
    // Nothing of the user's environment: a provider key or a Cloudflare account has no business here.
    env: {
      PATH,
      HOME,
      ...(TMPDIR ? { TMPDIR } : {}),
      CI: "1",
      NO_COLOR: "1",
      WRANGLER_SEND_METRICS: "false",
      WRANGLER_SEND_ERROR_REPORTS: "false",
      WRANGLER_HIDE_BANNER: "true",
      WRANGLER_LOG_PATH: join(state.path, "logs", "wrangler"),
      WRANGLER_REGISTRY_PATH: join(state.path, "registry"),
      WRANGLER_CACHE_DIR: join(state.path, "cache"),
    },
    logFile,
  });
}

async function answers(
  url: string,
  edge: ProcessGroup,
  logFile: string,
  signal: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + startTimeoutMs;
  while (!edge.isOver && Date.now() < deadline) {
    signal.throwIfAborted();
    // With a mistake in the source wrangler stays, and waits for it to be mended.
    if (readFileSync(logFile, "utf8").includes("Build failed with")) break;
    // wrangler takes connections long before it answers them.
    const patience = AbortSignal.any([signal, AbortSignal.timeout(5_000)]);
    const response = await fetch(`${url}/health`, { signal: patience }).catch(() => null);
    await response?.body?.cancel();
    if (response?.ok) return;
    await sleep(100);
  }
  const isOver = edge.isOver;
  await edge.stop(0);
  throw wranglerFailed(isOver ? "wrangler dev ended" : "the edge did not answer", logFile);
}

/** An error that shows the end of wrangler's own words. */
export function wranglerFailed(what: string, logFile: string): StartRefused {
  return new StartRefused(
    `${what}; the end of ${logFile}:\n${tail(readFileSync(logFile, "utf8"))}`,
  );
}
