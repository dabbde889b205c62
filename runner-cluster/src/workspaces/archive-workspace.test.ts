import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openPromise } from "yauzl";
import { AttemptFenced } from "../attempt/attempt.ts";
import { ArchiveTooLarge } from "./archive-workspace.ts";
import { execFileSync } from "node:child_process";
import { prepareRoot } from "./project-layout.ts";
import type { Workspace } from "./workspace.ts";
import { HostFixture } from "./workspace-fixture.ts";

let host: HostFixture;
beforeEach(async () => {
  host = await HostFixture.make();
});
afterEach(() => host.remove());

const write = (workspace: Workspace, path: string, content: string): void => {
  const file = join(workspace.root, path);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, content);
};

const spool = (): string => join(host.folder, "workspaces/.millrace/spool");

async function readZip(): Promise<
  readonly { readonly name: string; readonly content: string; readonly mode: number }[]
> {
  const zip = await openPromise(host.store.pathOf("zip"), { lazyEntries: true });
  const found = [];
  for await (const entry of zip.eachEntry()) {
    const content = await text(await zip.openReadStreamPromise(entry));
    found.push({ name: entry.fileName, content, mode: entry.externalFileAttributes >>> 16 });
  }
  return found;
}

describe("archive", () => {
  it("holds the files in order, with links inside as content, and nothing that is hidden", async () => {
    const workspace = await host.open();
    for (const path of ["b/z.txt", "b.txt", "a.txt", "dist/app.js", "Ünï", ".env", "b/.git/HEAD"]) {
      write(workspace, path, `in ${path}`);
    }
    write(workspace, "node_modules/x/index.js", "x");
    write(workspace, ".env.example", "KEY=");
    write(workspace, "run.sh", "#!/bin/sh");
    chmodSync(join(workspace.root, "run.sh"), 0o755);
    writeFileSync(join(host.folder, "outside"), "private");
    symlinkSync("../../outside", join(workspace.root, "leaves"));
    symlinkSync("/etc/passwd", join(workspace.root, "absolute"));
    symlinkSync("a.txt", join(workspace.root, "stays"));
    symlinkSync(".env", join(workspace.root, "innocent"));
    symlinkSync("b", join(workspace.root, "folder"));
    symlinkSync("nothing", join(workspace.root, "dangling"));
    execFileSync("/bin/sh", ["-c", "mkfifo pipe"], { cwd: workspace.root });

    const stored = await workspace.archive();
    const found = await readZip();
    expect(found.map((entry) => entry.name)).toEqual([
      ".env.example",
      "a.txt",
      "b.txt",
      "b/z.txt",
      "dist/app.js",
      "run.sh",
      "stays",
      "Ünï",
    ]);
    expect(stored).toMatchObject({ key: "zip", fileCount: 8 });
    expect(found.find((entry) => entry.name === "stays")?.content).toBe("in a.txt");
    expect(found.find((entry) => entry.name === "run.sh")?.mode).toBe(0o100755);
    expect(readdirSync(spool())).toEqual([]);
  });

  it("is compressed and keeps an empty workspace as an empty zip", async () => {
    const workspace = await host.open();
    expect(await workspace.archive()).toMatchObject({ fileCount: 0 });
    write(workspace, "big", "a".repeat(1_000_000));
    expect((await workspace.archive()).sizeBytes).toBeLessThan(10_000);
    expect((await readZip())[0]?.content).toHaveLength(1_000_000);
  });

  it("refuses what is over its limits", async () => {
    const few = await host.open({}, { zip: { maxBytes: 100, maxFiles: 2 } });
    for (const path of ["a", "b"]) write(few, path, "x");
    await few.archive();
    write(few, "c", "x");
    await expect(few.archive()).rejects.toThrow(ArchiveTooLarge);
    await few.release();
    const small = await host.open({}, { zip: { maxBytes: 100, maxFiles: 200 } });
    write(small, "a", "x".repeat(99));
    await expect(small.archive()).rejects.toThrow(ArchiveTooLarge);
    expect(readdirSync(spool())).toEqual([]);
  });

  it("stores nothing when another run took the workspace meanwhile", async () => {
    const workspace = await host.open();
    write(workspace, "a", "x");
    const storing = workspace.archive();
    writeFileSync(join(host.folder, "workspaces/.millrace/locks/p/2.jsonl"), "");
    await expect(storing).rejects.toThrow(AttemptFenced);
    expect(existsSync(host.store.pathOf("zip"))).toBe(false);
    expect(readdirSync(spool())).toEqual([]);
  });

  it("still works for a cancelled run, and removes what a killed runner spooled", async () => {
    const workspace = await host.open();
    write(workspace, "a", "x");
    host.attempt.cancel();
    host.attempt.loseLease();
    expect(await workspace.archive()).toMatchObject({ fileCount: 1 });
    writeFileSync(join(spool(), "999999999-abc.zip"), "x");
    writeFileSync(join(spool(), `${process.pid}-abc.zip`), "x");
    await prepareRoot(join(host.folder, "workspaces"));
    expect(readdirSync(spool())).toEqual([`${process.pid}-abc.zip`]);
  });
});

describe("tool output", () => {
  it("is read by the path that was answered, and is in no archive and no commit", async () => {
    const workspace = await host.open();
    const path = await workspace.writeToolOutput("call_1", "long");
    expect(path).toBe(".millrace/tool-output/call_1.txt");
    expect(await workspace.resolve(path, "read")).toContain("/output/p/call_1.txt");
    const odd = await workspace.writeToolOutput("../../../x", "odd");
    expect(await workspace.resolve(odd, "read")).toContain("/output/p/");
    expect(await workspace.archive()).toMatchObject({ fileCount: 0 });
    expect(await workspace.commit("x")).toEqual({ outcome: "skipped", reason: "no_changes" });
  });
});
