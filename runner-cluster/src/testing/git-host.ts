import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const main = fileURLToPath(new URL("../../../tests/support/git-server/main.ts", import.meta.url));
const run = promisify(execFile);

const gitEnv = {
  PATH: process.env["PATH"],
  HOME: "/nonexistent",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_AUTHOR_NAME: "Host",
  GIT_AUTHOR_EMAIL: "host@example.com",
  GIT_COMMITTER_NAME: "Host",
  GIT_COMMITTER_EMAIL: "host@example.com",
};

type Files = Readonly<Record<string, string>>;

/** A git host with repositories, in a process of its own. Of those named `private/…` it wants a password. */
export class GitHost {
  static readonly user = "robot";
  static readonly password = "git-password-of-robot";
  readonly url: string;
  readonly #root: string;
  readonly #stop: () => Promise<void>;

  private constructor(url: string, root: string, stop: () => Promise<void>) {
    this.url = url;
    this.#root = root;
    this.#stop = stop;
  }

  static async start(): Promise<GitHost> {
    const root = await mkdtemp(join(tmpdir(), "millrace-git-host-"));
    const child = spawn(process.execPath, [main, "--root", root, "--user", GitHost.user], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, GIT_PASSWORD: GitHost.password },
    });
    const [url] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
    return new GitHost(url, root, async () => {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
      await rm(root, { recursive: true, force: true, maxRetries: 3 });
    });
  }

  stop(): Promise<void> {
    return this.#stop();
  }

  /** Makes a repository with one commit on `main`; answers its address. */
  async add(name: string, files: Files): Promise<string> {
    await run("git", ["init", "-q", "--bare", "-b", "main", this.#bare(name)], { env: gitEnv });
    await this.commit(name, files);
    return `${this.url}/${name}.git`;
  }

  /** Commits onto the branch as somebody else would; answers the commit. */
  async commit(name: string, files: Files, branch = "main"): Promise<string> {
    const folder = await mkdtemp(join(this.#root, ".work-"));
    await this.#git(folder, "init", "-q", "-b", branch);
    await this.#git(folder, "pull", "-q", this.#bare(name), branch).catch(() => undefined);
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    await this.#git(folder, "add", "-A", "-f");
    await this.#git(folder, "commit", "-q", "-m", "by the host");
    await this.#git(folder, "push", "-q", this.#bare(name), `HEAD:refs/heads/${branch}`);
    const sha = await this.#git(folder, "rev-parse", "HEAD");
    await rm(folder, { recursive: true, force: true });
    return sha;
  }

  /** A file as the branch has it. */
  read(name: string, path: string, branch = "main"): Promise<string> {
    return this.#git(this.#bare(name), "show", `${branch}:${path}`);
  }

  /** All files of the branch. */
  async list(name: string, branch = "main"): Promise<readonly string[]> {
    const listed = await this.#git(this.#bare(name), "ls-tree", "-r", "--name-only", branch);
    return listed.split("\n");
  }

  /** Ids of the branch's commits, the newest first. */
  async log(name: string, branch = "main"): Promise<readonly string[]> {
    return (await this.#git(this.#bare(name), "log", "--format=%H", branch)).split("\n");
  }

  #bare(name: string): string {
    return join(this.#root, `${name}.git`);
  }

  async #git(cwd: string, ...args: readonly string[]): Promise<string> {
    const { stdout } = await run("git", args, { cwd, env: gitEnv });
    return stdout.trim();
  }
}
