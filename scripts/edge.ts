/** `npm run edge`: the edge alone, for runners that are started elsewhere. */
import { startLocalEdge, wranglerFailed } from "./local-edge.ts";
import { knobsHelp } from "./knobs-help.ts";
import { runUntilStopped, type Running } from "./run-until-stopped.ts";
import { loadEnvFile, readSettings } from "./settings.ts";
import { StateDir } from "./state-dir.ts";

let state: StateDir | null = null;

async function start(signal: AbortSignal): Promise<Running> {
  loadEnvFile();
  const settings = readSettings(process.env);
  state = StateDir.open(settings);
  const secrets = state.secrets(settings);
  const local = await startLocalEdge(settings, state, secrets, signal);
  console.log(`\n  base URL    ${local.url}`);
  console.log(`  API key     ${secrets.apiKey}`);
  if (!settings.poolToken) console.log(`  POOL_TOKEN  ${secrets.poolToken}`);
  console.log(`\n  EDGE_URL=${local.url} POOL_TOKEN=${secrets.poolToken} npm run runner\n`);
  return {
    failed: local.group.exited.then(() => wranglerFailed("the edge ended", local.logFile)),
    stop: async () => {
      await local.group.stop(5_000);
    },
  };
}

if (process.argv.includes("--help")) console.log(knobsHelp("npm run edge"));
else await runUntilStopped(start).finally(() => state?.release());
