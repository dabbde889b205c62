import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Repo } from "@millrace/contracts";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { GitHost } from "../testing/git-host.ts";
import { HostFixture, runIds, runIn } from "../workspaces/workspace-fixture.ts";
import type { Workspace } from "../workspaces/workspace.ts";
import { RepositoryFailed, type RepoRequest, type RepoState } from "./clone-repos.ts";

let host: GitHost;
let disk: HostFixture;
let states: RepoState[];

beforeAll(async () => {
  host = await GitHost.start();
  await host.add("shop", { "README.md": "shop\n", "src/a.txt": "a\n", ".gitignore": "dist\n" });
  await host.commit("shop", { "dist/kept.js": "built\n", "keys/test.pem": "sample\n" });
  await host.add("docs", { "index.md": "docs\n" });
  await host.add("private/vault", { "secret.md": "vault\n" });
});
afterAll(() => host.stop());
beforeEach(async () => {
  disk = await HostFixture.make();
  states = [];
});
afterEach(() => disk.remove());

const repo = (name: string, changes: Partial<Repo> = {}): Repo => ({
  url: `${host.url}/${name}.git`,
  branch: null,
  autoPush: true,
  ...changes,
});

const request = (wanted: readonly Repo[], changes: Partial<RepoRequest> = {}): RepoRequest => ({
  wanted,
  recorded: null,
  onState: (state) => states.push(state),
  signal: new AbortController().signal,
  ...changes,
});

const read = (workspace: Workspace, path: string): string =>
  readFileSync(join(workspace.root, path), "utf8");

/** Does not compress. */
const randomText = (): string => randomBytes(3000).toString("base64");

const statesOf = (path: string) =>
  states.filter((state) => state.path === path).map(({ state }) => state);

/** What a later attempt is told of an earlier one. */
const recordedBy = ({ opened: { cloned } }: Workspace) => ({
  recorded: cloned?.repos ?? null,
  first: { tree: cloned?.tree ?? "", pack: null },
});

const remotesWith = (text: string) => {
  const folder = join(disk.folder, "secrets");
  mkdirSync(join(folder, "git"), { recursive: true });
  writeFileSync(join(folder, "git", ".git-credentials"), text);
  return { allowLoopback: true, secretsDir: folder };
};
const line = (password: string) => `http://robot:${password}@${new URL(host.url).host}\n`;

const push = async (workspace: Workspace, signal = new AbortController().signal) => {
  const [cloned] = workspace.opened.cloned?.repos ?? [];
  if (!cloned) throw new Error("nothing was cloned");
  return workspace.push(cloned, { message: "apply", at: 1_700_000_000_000, signal });
};

describe("cloning", () => {
  it("brings each repository into a directory of its own, with its files alone", async () => {
    const workspace = await disk.open({ repos: request([repo("shop"), repo("docs")]) });
    expect(readdirSync(workspace.root).toSorted()).toEqual([".git", "docs", "shop"]);
    expect(readdirSync(join(workspace.root, "shop")).toSorted()).toEqual([
      ".gitignore",
      "README.md",
      "dist",
      "keys",
      "src",
    ]);
    expect(statesOf("shop")).toEqual(["cloning", "ready"]);
    const [commitSha] = await host.log("shop");
    expect(workspace.opened.cloned?.repos).toContainEqual({
      url: `${host.url}/shop.git`,
      path: "shop",
      branch: "main",
      commitSha,
    });
    const seen = await runIn(workspace, "git status --porcelain -uno && git log --format=%s");
    expect(seen.stdout).toBe("chore(agent): start from docs, shop\n");
  });

  it("takes the branch that is asked for", async () => {
    await host.commit("docs", { "next.md": "next\n" }, "next");
    const workspace = await disk.open({ repos: request([repo("docs", { branch: "next" })]) });
    expect(read(workspace, "docs/next.md")).toBe("next\n");
  });

  it("says how much has come while it takes long", async () => {
    const noise = Array.from({ length: 150 }, (_, at) => [`${at}.bin`, randomText()] as const);
    await host.add("slow/large", Object.fromEntries(noise));
    await disk.open({ repos: request([repo("slow/large")]) });
    const percents = states.flatMap((state) => (state.state === "cloning" ? [state.percent] : []));
    expect(percents.length).toBeGreaterThan(1);
    expect(percents).toEqual([undefined, ...percents.slice(1).toSorted((a = 0, b = 0) => a - b)]);
  });

  it("says which repository failed and why, and leaves nothing of it", async () => {
    const wanted = [repo("docs"), repo("nowhere"), repo("shop", { branch: "none" })];
    const opening = disk.open({ repos: request(wanted) });
    await expect(opening).rejects.toThrow(RepositoryFailed);
    await expect(opening).rejects.toThrow(/nowhere\.git could not be cloned: .*not found/);
    await expect(opening).rejects.toThrow(/shop\.git could not be cloned: .*refs\/heads\/none/);
    expect(statesOf("nowhere")).toEqual(["cloning", "failed"]);
    const again = await disk.open({ repos: request([repo("docs"), repo("shop")]), attempt: 2 });
    expect(read(again, "shop/src/a.txt")).toBe("a\n");
    expect(statesOf("docs")).toEqual(["cloning", "ready", "kept"]);
  });

  it("starts anew after an attempt that was killed in the middle", async () => {
    const folder = join(disk.folder, "workspaces/.millrace/repos/p");
    for (const left of ["shop.half", "shop.git/objects"]) {
      mkdirSync(join(folder, left), { recursive: true });
      writeFileSync(join(folder, left, "rubbish"), "half");
    }
    const workspace = await disk.open({ repos: request([repo("shop")]) });
    expect(read(workspace, "shop/README.md")).toBe("shop\n");
    expect(readdirSync(folder).toSorted()).toEqual(["shop.git", "shop.json"]);
  });

  it("fetches from nowhere but https, and not with credentials in the address", async () => {
    const remotes = { allowLoopback: false, secretsDir: undefined };
    const open = (url: string) =>
      disk.open({ repos: request([{ ...repo("shop"), url }]) }, { remotes });
    await expect(open(`${host.url}/shop.git`)).rejects.toThrow(/only https .*REPOS_FROM_LOOPBACK/);
    await expect(open("ssh://git@github.com/a/b")).rejects.toThrow(/holds credentials/);
    await expect(open("ssh://github.com/a/b")).rejects.toThrow(/only https is possible$/);
    await expect(open("https://u:hunter22@example.com/b")).rejects.toThrow(
      /^The repository https:\/\/example.com\/b could not be cloned: .*credentials/,
    );
  });

  it("ends with the attempt while a host is silent", async () => {
    const stop = new AbortController();
    const opening = disk.open({
      repos: request([repo("silent/x")], {
        signal: stop.signal,
        onState: () => stop.abort(new Error("cancelled")),
      }),
    });
    await expect(opening).rejects.toThrow("cancelled");
  });
});

describe("credentials", () => {
  it("come from the session's Secrets, to their host alone", async () => {
    const repos = request([repo("private/vault")]);
    const workspace = await disk.open({ repos }, { remotes: remotesWith(line(GitHost.password)) });
    expect(read(workspace, "vault/secret.md")).toBe("vault\n");
  });

  it("are said to lack, or to be wrong, without showing any", async () => {
    const repos = request([repo("private/vault")]);
    await expect(disk.open({ repos })).rejects.toThrow(/needs credentials, and no Secret/);
    const wrong = disk.open({ repos }, { remotes: remotesWith(line("wrong-password")) });
    await expect(wrong).rejects.toThrow(/Authentication failed/);
    await expect(wrong).rejects.not.toThrow(/wrong-password/);
    const elsewhere = remotesWith("http://robot:git-password-of-robot@example.com\n");
    await expect(disk.open({ repos }, { remotes: elsewhere })).rejects.toThrow(/no Secret/);
    expect(JSON.stringify(states) + disk.logged.join("")).not.toMatch(/password-of|wrong-pass/);
  });
});

describe("a later attempt", () => {
  it("does not overwrite what is there", async () => {
    const first = await disk.open({ repos: request([repo("shop")]) });
    await runIn(first, "echo changed > shop/README.md");
    const { recorded, first: tree } = recordedBy(first);
    const { pack, ...after } = await first.snapshot(tree.tree);
    await first.release();
    await host.commit("shop", { "later.md": "later\n" });
    const steps = [tree, { ...after, pack }];
    const repos = request([repo("shop")], { recorded });
    const second = await disk.open({ repos, steps, attempt: 2 });
    expect(read(second, "shop/README.md")).toBe("changed\n");
    expect(readdirSync(join(second.root, "shop"))).not.toContain("later.md");
    expect(second.opened.cloned?.repos).toEqual(recorded);
  });

  it("on another disk has the same commit again, and the changes on top", async () => {
    const files = { "README.md": "shop\n", ".gitignore": "dist\n", "src/a.txt": "a\n" };
    await host.add("carried", { ...files, "dist/kept.js": "built\n", "keys/test.pem": "sample\n" });
    const first = await disk.open({ repos: request([repo("carried")]) });
    await runIn(
      first,
      "echo changed > carried/README.md; rm carried/src/a.txt; echo n > carried/new.txt",
    );
    const { recorded, first: tree } = recordedBy(first);
    const changed = await first.snapshot(tree.tree);
    // The clone itself does not travel: it can be had again.
    expect(Buffer.from(changed.pack ?? "", "base64").length).toBeLessThan(2_000);
    await host.commit("carried", { "much-later.md": "later\n" });
    const other = await HostFixture.make(disk.store);
    try {
      const repos = request([repo("carried")], { recorded });
      const second = await other.open({ repos, steps: [tree, changed], attempt: 2 });
      expect(second.opened).toMatchObject({ restored: true, missing: [] });
      expect(readdirSync(join(second.root, "carried")).toSorted()).toEqual([
        ".gitignore",
        "README.md",
        "dist",
        "keys",
        "new.txt",
      ]);
      expect(read(second, "carried/README.md")).toBe("changed\n");
      expect(read(second, "carried/keys/test.pem")).toBe("sample\n");
    } finally {
      await other.remove();
    }
  });
});

describe("pushing", () => {
  it("brings one commit to the branch, however often it is asked", async () => {
    const name = "pushed";
    await host.add(name, { "a.txt": "a\n", "keys/test.pem": "sample\n", ".gitignore": "out\n" });
    const workspace = await disk.open({ repos: request([repo(name)]) });
    expect(await push(workspace)).toMatchObject({ outcome: "skipped", reason: "no_changes" });
    await runIn(
      workspace,
      `cd ${name}; echo b > a.txt; echo x > keys/test.pem; echo s > .env; mkdir out; echo o > out/o; echo n > n`,
    );
    const end = await push(workspace);
    const [tip, ...before] = await host.log(name);
    expect(end).toMatchObject({ outcome: "pushed", branch: "main", commitSha: tip, path: name });
    expect(before).toHaveLength(1);
    expect(await host.list(name)).toEqual([".gitignore", "a.txt", "keys/test.pem", "n"]);
    expect(await host.read(name, "a.txt")).toBe("b");
    // What may hold secrets is not pushed.
    expect(await host.read(name, "keys/test.pem")).toBe("sample");
    rmSync(join(disk.folder, "workspaces/.millrace/repos/p"), { recursive: true });
    expect(await push(workspace)).toEqual(end);
    expect(await host.log(name)).toHaveLength(2);
  });

  it("leaves a branch alone that has moved, and says so", async () => {
    await host.add("moved", { "a.txt": "a\n" });
    const workspace = await disk.open({ repos: request([repo("moved")]) });
    await runIn(workspace, "echo b > moved/a.txt");
    const theirs = await host.commit("moved", { "theirs.txt": "t\n" });
    expect(await push(workspace)).toMatchObject({ outcome: "failed", path: "moved" });
    expect((await host.log("moved"))[0]).toBe(theirs);
  });

  it("goes on from what the project's last run pushed, on the same disk", async () => {
    await host.add("again", { "a.txt": "a\n" });
    const first = await disk.open({ repos: request([repo("again")]) });
    await runIn(first, "echo b > again/a.txt");
    await push(first);
    await first.release();
    const next = { runId: runIds.second, runIndex: 2 };
    const second = await disk.open({ repos: request([repo("again")]), ...next });
    await runIn(second, "echo c >> again/a.txt");
    expect(await push(second)).toMatchObject({ outcome: "pushed" });
    expect(await host.read("again", "a.txt")).toBe("b\nc");
    expect(await host.log("again")).toHaveLength(3);
  });

  it("ends with the run", async () => {
    const workspace = await disk.open({ repos: request([repo("docs")]) });
    await runIn(workspace, "echo more >> docs/index.md");
    const before = await host.log("docs");
    await expect(push(workspace, AbortSignal.abort(new Error("cancelled")))).rejects.toThrow(
      "cancelled",
    );
    expect(await host.log("docs")).toEqual(before);
  });

  it("does not guess what a directory of an earlier run came from", async () => {
    mkdirSync(join(disk.folder, "workspaces/p/shop"), { recursive: true });
    const workspace = await disk.open({ repos: request([repo("shop")]) });
    expect(statesOf("shop")).toEqual(["kept"]);
    expect(await push(workspace)).toMatchObject({ outcome: "skipped", reason: "unknown_base" });
  });
});
