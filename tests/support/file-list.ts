import { lstat, readdir } from "node:fs/promises";
import { join, relative } from "node:path";

/** Every file below a directory with its size and the time of its last change: two lists are equal if nobody wrote. */
export async function listFiles(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const lines = await Promise.all(
    entries.map(async (entry) => {
      const path = join(entry.parentPath, entry.name);
      const { size, mtimeMs } = await lstat(path);
      return `${relative(directory, path)} ${size} ${mtimeMs}`;
    }),
  );
  return lines.toSorted();
}
