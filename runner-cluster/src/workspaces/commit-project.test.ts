import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Workspace } from "./workspace.ts";
import { HostFixture, runIds } from "./workspace-fixture.ts";

let host: HostFixture;
let other: HostFixture;
beforeEach(async () => {
  host = await HostFixture.make();
  other = await HostFixture.make(host.store);
});
afterEach(async () => {
  await host.remove();
  await other.remove();
});

const write = (workspace: Workspace, path: string, text: string): void => {
  const file = join(workspace.root, path);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, text);
};
const read = (workspace: Workspace, path: string): string =>
  readFileSync(join(workspace.root, path), "utf8");
const userGit = (workspace: Workspace, ...args: readonly string[]): string =>
  execFileSync("git", args, {
    cwd: workspace.root,
    encoding: "utf8",
    env: { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null" },
  }).trim();
const message = `chore(agent): apply run ${runIds.first}`;
const baseOf = (tree: string, runIndex = 1) => ({
  runId: runIds.first,
  runIndex,
  tree,
  bundleKey: "bundle",
});

describe("commit", () => {
  it("commits what changed to the project's branch, by the agent, and nothing secret", async () => {
    const workspace = await host.open();
    for (const path of ["src/a.ts", ".env", "server.key", "node_modules/x/i.js", "Ünï cöde"]) {
      write(workspace, path, path);
    }
    write(workspace, ".env.example", "KEY=");
    write(workspace, ".gitignore", "!.env\n!*.key\nlogs/\n");
    write(workspace, "logs/x.log", "x");
    const made = await workspace.commit(message);
    expect(made).toMatchObject({ outcome: "committed" });
    const files = userGit(
      workspace,
      "-c",
      "core.quotepath=off",
      "ls-tree",
      "-r",
      "--name-only",
      "HEAD",
    );
    expect(files.split("\n")).toEqual([".env.example", ".gitignore", "src/a.ts", "Ünï cöde"]);
    expect(userGit(workspace, "log", "-1", "--format=%an %ae %cn %s")).toBe(
      `Agent agent@example.com Agent ${message}`,
    );
    expect(userGit(workspace, "rev-parse", "main")).toBe(
      made.outcome === "committed" ? made.commitSha : "",
    );
    expect(userGit(workspace, "status", "--porcelain", "--untracked-files=no")).toBe("");
    expect(userGit(workspace, "fsck", "--strict")).not.toContain("error");
  });

  it("answers the same commit again, and then nothing new", async () => {
    const workspace = await host.open();
    write(workspace, "a", "1");
    const made = await workspace.commit(message);
    // As if the runner had died between the branch and the index.
    rmSync(join(workspace.root, ".git/index"));
    expect(await workspace.commit(message)).toEqual(made);
    expect(userGit(workspace, "status", "--porcelain")).toBe("");
    await workspace.release();
    const second = await host.open({ runId: runIds.second, runIndex: 2 });
    expect(await second.commit("x")).toEqual({ outcome: "skipped", reason: "no_changes" });
    write(second, "a", "2");
    expect(await second.commit("x")).toMatchObject({ outcome: "committed" });
    expect(userGit(second, "rev-list", "--count", "HEAD")).toBe("2");
  });

  it("commits nothing into an empty project", async () => {
    const workspace = await host.open();
    expect(await workspace.commit(message)).toEqual({ outcome: "skipped", reason: "no_changes" });
  });

  it("does not commit when that is switched off", async () => {
    const workspace = await host.open({}, { autoGitCommit: false });
    write(workspace, "a", "1");
    expect(await workspace.commit(message)).toEqual({ outcome: "skipped", reason: "disabled" });
  });

  it("keeps what a user committed although it is hidden or ignored", async () => {
    const workspace = await host.open();
    for (const path of [".env", "ignored/kept", "ignored/dropped", "a"])
      write(workspace, path, path);
    write(workspace, ".gitignore", "ignored/\n");
    userGit(workspace, "-c", "user.name=u", "-c", "user.email=u@u", "add", "-Af");
    userGit(workspace, "-c", "user.name=u", "-c", "user.email=u@u", "commit", "-qm", "by hand");
    rmSync(join(workspace.root, "ignored/dropped"));
    write(workspace, "a", "changed");
    await workspace.commit(message);
    const changed = userGit(workspace, "diff", "--name-status", "HEAD~1", "HEAD");
    expect(changed.split("\n")).toEqual(["M\ta", "D\tignored/dropped"]);
  });

  it("commits to the branch that is checked out, packed or not", async () => {
    const workspace = await host.open();
    write(workspace, "a", "1");
    await workspace.commit(message);
    userGit(workspace, "checkout", "-qb", "feature/x");
    userGit(workspace, "pack-refs", "--all");
    userGit(workspace, "gc", "-q");
    write(workspace, "a", "2");
    await workspace.commit(`${message} again`);
    expect(userGit(workspace, "log", "--format=%s", "feature/x").split("\n")).toHaveLength(2);
    expect(userGit(workspace, "log", "--format=%s", "main").split("\n")).toHaveLength(1);
  });

  it("copes with a nested repository and with a pipe", async () => {
    const workspace = await host.open();
    mkdirSync(join(workspace.root, "nested"));
    execFileSync("git", ["init", "-q", join(workspace.root, "nested")]);
    execFileSync("/bin/sh", ["-c", "mkfifo pipe"], { cwd: workspace.root });
    write(workspace, "a", "1");
    expect(await workspace.commit(message)).toMatchObject({ outcome: "committed" });
    expect(userGit(workspace, "ls-tree", "--name-only", "HEAD")).toBe("a");
  });
});

describe("a machine without git", () => {
  it("goes on, and says what it does not do", async () => {
    const workspace = await host.open();
    write(workspace, "a", "1");
    const path = process.env["PATH"];
    process.env["PATH"] = "/nonexistent";
    try {
      expect(await workspace.commit(message)).toEqual({
        outcome: "skipped",
        reason: "git_missing",
      });
      expect(await workspace.snapshot(null)).toEqual({ tree: "0".repeat(40), pack: null });
      await workspace.storeState();
    } finally {
      process.env["PATH"] = path;
    }
    expect(host.store.uploads).toEqual([]);
    expect(await workspace.archive()).toMatchObject({ fileCount: 1 });
  });
});

describe("a branch that another git has locked", () => {
  it("is not moved, and the lock of a killed git does not count", async () => {
    const workspace = await host.open();
    write(workspace, "a", "1");
    const lock = join(workspace.root, ".git/refs/heads/main.lock");
    writeFileSync(lock, "");
    expect(await workspace.commit(message)).toMatchObject({ outcome: "failed" });
    utimesSync(lock, 1, 1);
    expect(await workspace.commit(message)).toMatchObject({ outcome: "committed" });
  });
});

describe("a project's own git, made hostile", () => {
  it("executes nothing", async () => {
    const workspace = await host.open();
    const trap = join(host.folder, "trap");
    const config = `[core]
\tfsmonitor = touch ${trap}-fsmonitor
\thooksPath = ${host.folder}/hooks
\tsshCommand = touch ${trap}-ssh
\tpager = touch ${trap}-pager
\teditor = touch ${trap}-editor
\tworktree = /
[filter "evil"]
\tclean = touch ${trap}-clean; cat
\tsmudge = touch ${trap}-smudge; cat
\tprocess = touch ${trap}-process
\trequired = true
[diff "evil"]
\ttextconv = touch ${trap}-textconv; cat
[uploadpack]
\tpackObjectsHook = touch ${trap}-pack
[gpg]
\tprogram = touch ${trap}-gpg
[commit]
\tgpgSign = true
`;
    writeFileSync(join(workspace.root, ".git/config"), config);
    for (const folder of [join(host.folder, "hooks"), join(workspace.root, ".git/hooks")]) {
      mkdirSync(folder, { recursive: true });
      for (const hook of [
        "pre-commit",
        "post-commit",
        "post-index-change",
        "reference-transaction",
      ]) {
        writeFileSync(join(folder, hook), `#!/bin/sh\ntouch ${trap}-${hook}\n`);
        chmodSync(join(folder, hook), 0o755);
      }
    }
    write(workspace, ".gitattributes", "* filter=evil diff=evil text\n");
    write(workspace, "a", "bytes\r\nas they are\r\n");
    expect(await workspace.commit(message)).toMatchObject({ outcome: "committed" });
    const { tree } = await workspace.snapshot(null);
    await workspace.storeState();
    const restored = await other.open({ runId: runIds.second, runIndex: 2, base: baseOf(tree) });
    expect(read(restored, "a")).toBe("bytes\r\nas they are\r\n");
    expect(readdirSync(host.folder).filter((name) => name.startsWith("trap"))).toEqual([]);
  });

  it.each([
    ["a link to another repository", (git: string, victim: string) => symlinkSync(victim, git)],
    [
      "a file that names another one",
      (git: string, victim: string) => writeFileSync(git, `gitdir: ${victim}\n`),
    ],
    [
      "borrowed objects",
      (git: string, victim: string) => {
        execFileSync("git", ["init", "-q", join(git, "..")]);
        writeFileSync(join(git, "objects/info/alternates"), `${victim}/objects\n`);
      },
    ],
  ])("is not used when it is %s", async (_name, make) => {
    const victim = await host.open({ projectId: "victim" });
    write(victim, "a", "1");
    const workspace = await host.open();
    rmSync(join(workspace.root, ".git"), { recursive: true });
    make(join(workspace.root, ".git"), join(victim.root, ".git"));
    write(workspace, "a", "1");
    expect(await workspace.commit(message)).toEqual({ outcome: "skipped", reason: "not_git_repo" });
    expect(existsSync(join(victim.root, ".git/refs/heads/main"))).toBe(false);
    await workspace.storeState();
  });

  it("does not write the index through a link", async () => {
    const workspace = await host.open();
    const victim = join(host.folder, "victim");
    writeFileSync(victim, "untouched");
    symlinkSync(victim, join(workspace.root, ".git/index"));
    write(workspace, "a", "1");
    expect(await workspace.commit(message)).toMatchObject({ outcome: "committed" });
    expect(readFileSync(victim, "utf8")).toBe("untouched");
  });
});
