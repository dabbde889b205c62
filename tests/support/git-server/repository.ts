import { execFileSync } from "node:child_process";
import { join } from "node:path";

const identity = {
  GIT_AUTHOR_NAME: "Host",
  GIT_AUTHOR_EMAIL: "host@example.com",
  GIT_COMMITTER_NAME: "Host",
  GIT_COMMITTER_EMAIL: "host@example.com",
};

/** A bare repository of the git server's. */
export class BareRepository {
  readonly #path: string;

  constructor(root: string, name: string) {
    this.#path = join(root, `${name}.git`);
  }

  /** With one file and one commit, on `main`. */
  init(file: string, text: string): void {
    execFileSync("git", ["init", "-q", "--bare", "-b", "main", this.#path]);
    const blob = this.#git(["hash-object", "-w", "--stdin"], text);
    const tree = this.#git(["mktree"], `100644 blob ${blob}\t${file}\n`);
    const commit = this.#git(["commit-tree", tree, "-m", "by the host"]);
    this.#git(["update-ref", "refs/heads/main", commit]);
  }

  read(file: string): string {
    return this.#git(["show", `main:${file}`]);
  }

  commits(): readonly string[] {
    return this.#git(["log", "--format=%s", "main"]).split("\n");
  }

  #git(args: readonly string[], input = ""): string {
    const env = { ...process.env, ...identity };
    return execFileSync("git", args, { cwd: this.#path, env, input, encoding: "utf8" }).trim();
  }
}
