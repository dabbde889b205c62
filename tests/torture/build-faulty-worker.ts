import { execFile } from "node:child_process";
import { readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { inject } from "vitest";
import { buildPaths, checkout } from "../support/build-paths.ts";
import { makeTempDir } from "../support/temp.ts";
import { removeMechanism } from "./mechanisms.ts";

const run = promisify(execFile);

/** Builds the product's Worker with failing bindings, and without one of its mechanisms if one is named. */
export async function buildFaultyWorker(removed: string | undefined): Promise<string> {
  const directory = await makeTempDir("torture");
  const [base, paths] = [buildPaths(inject("workerBuild")), buildPaths(directory)];
  await symlink(base.workerOptions, paths.workerOptions);
  await symlink(base.migrated, paths.migrated);
  const wrangler = join(checkout, "node_modules/wrangler/bin/wrangler.js");
  const entry = "tests/torture/bundle/faulty-worker.ts";
  const args = [wrangler, "deploy", entry, "--dry-run", "--outdir", paths.bundle];
  const quiet = { CI: "1", WRANGLER_SEND_METRICS: "false", WRANGLER_LOG_PATH: tmpdir() };
  await run(process.execPath, args, { cwd: checkout, env: { ...process.env, ...quiet } });
  const built = await readFile(join(paths.bundle, "faulty-worker.js"), "utf8");
  const worker = removed === undefined ? built : removeMechanism(built, removed);
  await writeFile(join(paths.bundle, "worker.js"), worker);
  return directory;
}
