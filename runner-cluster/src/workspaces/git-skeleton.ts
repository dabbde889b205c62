import { lstat, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

const config = `[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = false
\tlogallrefupdates = true
`;

/** Files under `info`. Attributes there overrule the project's own, exclusions only add to them. */
export type RepositoryInfo = Readonly<Partial<Record<"exclude" | "attributes", string>>>;

/**
 * Makes an empty repository where there is none, as `git init` would, without starting a process: a
 * project's first run waits for this. Something else at that place, such as a file or a link, is left alone.
 */
export async function makeRepository(gitDir: string, info: RepositoryInfo = {}): Promise<void> {
  const stat = await lstat(gitDir).catch(() => null);
  if (stat !== null && !stat.isDirectory()) return;
  if (await lstat(join(gitDir, "HEAD")).catch(() => null)) return;
  const folders = ["objects/info", "objects/pack", "refs/heads", "refs/tags", "info"];
  await Promise.all(folders.map((path) => mkdir(join(gitDir, path), { recursive: true })));
  await writeNew(join(gitDir, "config"), config);
  for (const [name, text] of Object.entries(info)) {
    await writeNew(join(gitDir, "info", name), text);
  }
  // Last: a half-made repository has no HEAD, and is completed by whoever comes next.
  await writeNew(join(gitDir, "HEAD"), "ref: refs/heads/main\n");
}

/** Never through a link, never over something. */
async function writeNew(file: string, text: string): Promise<void> {
  await writeFile(file, text, { flag: "wx" }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
}
