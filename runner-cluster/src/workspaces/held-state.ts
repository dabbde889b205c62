import { readFile, rename, writeFile } from "node:fs/promises";
import { z } from "zod";

/** Which run's end state a project's directory on this disk holds. */
const HeldState = z.object({
  runId: z.string(),
  runIndex: z.int(),
  /** Null: never taken as a tree, e.g. when the run was cancelled. */
  tree: z.string().nullable(),
});
export type HeldState = z.infer<typeof HeldState>;

/** Null: unknown, as after a crash in the directory's first run. */
export async function readHeldState(file: string): Promise<HeldState | null> {
  const text = await readFile(file, "utf8").catch(() => null);
  if (text === null) return null;
  try {
    return HeldState.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

export async function writeHeldState(file: string, state: HeldState): Promise<void> {
  const written = `${file}.${process.pid}`;
  await writeFile(written, JSON.stringify(state), { mode: 0o600 });
  await rename(written, file);
}
