import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { decideRestore } from "./decide-restore.ts";
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

describe("decideRestore", () => {
  const tree = "a".repeat(40);
  const held = { runId: "r", runIndex: 3, tree };
  it.each([
    ["nothing to start from", held, null, "keep"],
    ["nothing known here", null, { runIndex: 1, tree }, "restore"],
    ["the same state", held, { runIndex: 3, tree }, "keep"],
    ["a later run was here", held, { runIndex: 2, tree: "b".repeat(40) }, "keep"],
    ["an earlier run was here", held, { runIndex: 4, tree }, "restore"],
    ["the run went on elsewhere", held, { runIndex: 3, tree: "b".repeat(40) }, "restore"],
  ] as const)("%s", (_name, state, base, verdict) => {
    expect(decideRestore(state, base)).toBe(verdict);
  });
});

describe("a runner without the files", () => {
  it("restores files and history of the last run from its bundle", async () => {
    const first = await host.open();
    write(first, "src/a.ts", "one");
    write(first, ".gitignore", "cache/\n");
    write(first, "run.sh", "#!/bin/sh\n");
    chmodSync(join(first.root, "run.sh"), 0o755);
    symlinkSync("src/a.ts", join(first.root, "link"));
    write(first, "cache/big", "ignored");
    const made = await first.commit(message);
    userGit(first, "tag", "v1");
    await first.storeState();
    const upload = host.store.uploads.at(-1);
    await first.release();
    const tree = upload?.kind === "bundle" ? upload.tree : "";

    const start = { runId: runIds.second, runIndex: 2, base: baseOf(tree) };
    const second = await other.open(start);
    expect(second.opened).toMatchObject({ restored: true });
    expect(second.opened.missing.join()).toContain("ignored files");
    expect(read(second, "link")).toBe("one");
    expect(existsSync(join(second.root, "cache"))).toBe(false);
    expect(userGit(second, "rev-parse", "HEAD", "v1")).toBe(
      made.outcome === "committed" ? `${made.commitSha}\n${made.commitSha}` : "",
    );
    expect(userGit(second, "status", "--porcelain")).toBe("");
    execFileSync(join(second.root, "run.sh"));
    expect((await second.snapshot(null)).pack).toBeNull();

    write(second, "src/b.ts", "two");
    await second.commit(`apply ${runIds.second}`);
    await second.storeState();
    const next = host.store.uploads.at(-1);
    await second.release();
    // Back on the first runner, whose files are one run behind by now.
    const base = baseOf(next?.kind === "bundle" ? next.tree : "", 2);
    const third = await host.open({ runId: "third", runIndex: 3, base });
    expect(read(third, "src/b.ts")).toBe("two");
    expect(read(third, "cache/big")).toBe("ignored");
    expect(userGit(third, "rev-list", "--count", "HEAD")).toBe("2");
    expect(userGit(third, "status", "--porcelain")).toBe("");
  });

  it("keeps the directory that holds the state already, edits by hand included", async () => {
    const first = await host.open();
    write(first, "a", "1");
    await first.storeState();
    const upload = host.store.uploads.at(-1);
    await first.release();
    write(first, "a", "edited since");
    const base = baseOf(upload?.kind === "bundle" ? upload.tree : "");
    const second = await host.open({ runId: runIds.second, runIndex: 2, base });
    expect(second.opened).toMatchObject({ restored: false, missing: [] });
    expect(read(second, "a")).toBe("edited since");
  });

  it("goes on from the packs that an earlier attempt's steps carried", async () => {
    const first = await host.open();
    const steps = [];
    write(first, "a", "1");
    write(first, "gone", "x");
    steps.push(await first.snapshot(null));
    rmSync(join(first.root, "gone"));
    write(first, "deep/er/b", "2");
    steps.push(await first.snapshot(steps[0]?.tree ?? null));
    expect(steps[1]?.pack?.length).toBeLessThan(1_000);
    expect(await first.snapshot(steps[1]?.tree ?? null)).toEqual({ ...steps[1], pack: null });
    const second = await other.open({ attempt: 2, steps });
    expect(second.opened).toEqual({
      restored: true,
      missing: [],
      isolated: false,
      workflow: null,
      cloned: null,
    });
    expect(read(second, "a") + read(second, "deep/er/b")).toBe("12");
    expect(existsSync(join(second.root, "gone"))).toBe(false);
  });

  it("undoes on its own disk what came after the last checkpoint", async () => {
    const first = await host.open();
    write(first, "a", "1");
    const step = await first.snapshot(null);
    write(first, "a", "half");
    write(first, "later", "x");
    const second = await host.open({ attempt: 2, steps: [step] });
    expect(read(second, "a")).toBe("1");
    expect(existsSync(join(second.root, "later"))).toBe(false);
  });

  it("says what is missing and goes on", async () => {
    const lost = baseOf("b".repeat(40));
    const steps = [{ tree: "c".repeat(40), pack: null }];
    const workspace = await other.open({ base: lost, steps });
    expect(workspace.opened.restored).toBe(false);
    expect(workspace.opened.missing).toHaveLength(2);
    expect(workspace.mutate(() => 1)).toBe(1);
  });

  it("says so when the bundle is damaged", async () => {
    writeFileSync(host.store.pathOf("bundle"), "not a bundle");
    const workspace = await other.open({ base: baseOf("b".repeat(40)) });
    expect(workspace.opened.missing).toHaveLength(1);
  });

  it("survives a project whose .git was deleted", async () => {
    const workspace = await host.open();
    write(workspace, "a", "1");
    await workspace.commit(message);
    const before = await workspace.snapshot(null);
    rmSync(join(workspace.root, ".git"), { recursive: true });
    write(workspace, "a", "2");
    expect(await workspace.snapshot(before.tree)).toMatchObject({ pack: expect.any(String) });
    await workspace.storeState();
  });
});
