import { randomUUID } from "node:crypto";
import { cp, mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { V4WorkerOptions } from "miniflare";
import { buildPaths } from "../../tests/support/build-paths.ts";
import { buildWorker } from "../../tests/support/build-worker.ts";
import { openRun } from "./open-run.ts";
import type { Platform } from "./platform.ts";
import { openRunnerCreator } from "./runner-creator.ts";
import type { Side } from "./side.ts";
import { startWorkerd } from "./start-workerd.ts";

/** Millrace as it is deployed, in a workerd of its own, entered by its public doors only. */
export async function startOurs(stateDir: string): Promise<Side> {
  const { platform, dispose } = await startPlatform(stateDir);
  return {
    name: "ours",
    openLog: () => openRun(platform),
    openCreator: () => openRunnerCreator(platform, join(stateDir, "runner")),
    dispose,
  };
}

/** The edge alone, with no runner. `vars` are variables of the Worker beyond its secrets. */
export async function startPlatform(
  stateDir: string,
  vars: Readonly<Record<string, string>> = {},
): Promise<{ readonly platform: Platform; readonly dispose: () => Promise<void> }> {
  const buildDir = join(stateDir, "build");
  const persistTo = join(stateDir, "edge");
  await mkdir(buildDir, { recursive: true });
  await buildWorker(buildDir);
  await cp(join(buildPaths(buildDir).migrated, "v3"), persistTo, { recursive: true });
  const secrets = { apiKey: randomUUID(), poolToken: randomUUID() };
  const worker = await readWorker(buildDir, {
    AGENT_API_KEY: secrets.apiKey,
    POOL_TOKEN: secrets.poolToken,
    RUN_TOKEN_SECRET: randomUUID(),
    SEALING_KEY: randomUUID(),
    ...vars,
  });
  const { url, miniflare } = await startWorkerd(worker, persistTo);
  return { platform: { url, ...secrets }, dispose: () => miniflare.dispose() };
}

async function readWorker(
  buildDir: string,
  vars: Readonly<Record<string, string>>,
): Promise<V4WorkerOptions> {
  const { bundle, workerOptions } = buildPaths(buildDir);
  const { modulesRules: _, ...options } = JSON.parse(await readFile(workerOptions, "utf8"));
  const texts = (await readdir(bundle)).filter((name) => name.endsWith(".sql"));
  const read = (name: string): Promise<string> => readFile(join(bundle, name), "utf8");
  return {
    ...options,
    name: "millrace",
    modules: [
      { type: "ESModule", path: "worker.js", contents: await read("worker.js") },
      ...(await Promise.all(
        texts.map(async (path) => ({ type: "Text" as const, path, contents: await read(path) })),
      )),
    ],
    bindings: { ...options.bindings, ...vars },
  };
}
