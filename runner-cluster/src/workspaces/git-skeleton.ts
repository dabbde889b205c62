import { access, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

const config = `[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = false
\tlogallrefupdates = true
`;

/**
 * Makes an empty repository if there is none, as `git init` would, without starting a process: a
 * project's first run waits for this.
 */
export async function makeRepository(gitDir: string, exclude = ""): Promise<void> {
  const exists = await access(gitDir).then(
    () => true,
    () => false,
  );
  if (exists) return;
  const folders = ["objects/info", "objects/pack", "refs/heads", "refs/tags", "info"];
  await Promise.all(folders.map((path) => mkdir(join(gitDir, path), { recursive: true })));
  await writeFile(join(gitDir, "config"), config);
  await writeFile(join(gitDir, "info/exclude"), exclude);
  // Last: without HEAD it is no repository, and a half-made one would not be found.
  await writeFile(join(gitDir, "HEAD"), "ref: refs/heads/main\n");
}
