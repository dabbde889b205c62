import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { releaseAtEnd } from "./cleanup.ts";

/** A new empty directory, removed at the end of the test or file. */
export async function makeTempDir(label: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), `millrace-${label}-`));
  releaseAtEnd(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
  return directory;
}
