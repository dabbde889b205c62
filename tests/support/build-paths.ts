import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const checkout = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** What lies where in a directory that `buildWorker` filled. */
export const buildPaths = (directory: string) =>
  ({
    bundle: join(directory, "bundle"),
    workerOptions: join(directory, "worker-options.json"),
    /** A wrangler state (`--persist-to`) that holds the migrated D1 database and nothing else. */
    migrated: join(directory, "migrated"),
  }) as const;
