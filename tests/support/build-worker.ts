import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { buildPaths, checkout } from "./build-paths.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Directory that `buildWorker` filled. */
    readonly workerBuild: string;
  }
}

const run = promisify(execFile);

/** Builds the Worker once for all system tests. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), "millrace-worker-"));
  await buildWorker(directory);
  project.provide("workerBuild", directory);
  return () => rm(directory, { recursive: true, force: true });
}

/**
 * What `wrangler deploy` would upload, the bindings of wrangler.toml as Miniflare takes them, and a state
 * in which the D1 migrations have been applied, by wrangler too.
 */
export async function buildWorker(directory: string): Promise<void> {
  const paths = buildPaths(directory);
  const { workerOptions } = unstable_getMiniflareWorkerOptions(join(checkout, "wrangler.toml"));
  await Promise.all([
    wrangler("deploy", "--dry-run", "--outdir", paths.bundle),
    wrangler("d1", "migrations", "apply", "DB", "--local", "--persist-to", paths.migrated),
    writeFile(paths.workerOptions, JSON.stringify(workerOptions)),
  ]);
}

async function wrangler(...args: readonly string[]): Promise<void> {
  const bin = join(checkout, "node_modules/wrangler/bin/wrangler.js");
  await run(process.execPath, [bin, ...args], {
    cwd: checkout,
    env: { ...process.env, CI: "1", WRANGLER_SEND_METRICS: "false", WRANGLER_LOG_PATH: tmpdir() },
  });
}
