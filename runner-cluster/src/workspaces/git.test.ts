import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { git, GitFailed, gitLine, GitTooMuch, pipeGit } from "./git.ts";
import { makeRepository } from "./git-skeleton.ts";

async function repository() {
  const gitDir = mkdtempSync(join(tmpdir(), "millrace-git-"));
  onTestFinished(() => rmSync(gitDir, { recursive: true, force: true }));
  await makeRepository(gitDir);
  return { gitDir };
}

it("holds no more of an answer than its caller takes", async () => {
  const place = await repository();
  const input = "x".repeat(1_000_000);
  const id = await gitLine(place, ["hash-object", "-w", "--stdin"], { input });
  const show = ["cat-file", "blob", id];
  expect(await git(place, show, { maxBytes: 1_000_000 })).toHaveLength(1_000_000);
  await expect(git(place, show, { maxBytes: 999_999 })).rejects.toThrow(GitTooMuch);
});

it("copies objects from one repository to another, or says why not", async () => {
  const [from, to] = await Promise.all([repository(), repository()]);
  const id = await gitLine(from, ["hash-object", "-w", "--stdin"], { input: "x" });
  const pack = { place: from, args: ["pack-objects", "--stdout", "-q"] };
  const index = { place: to, args: ["index-pack", "--stdin"] };
  await pipeGit(pack, index, `${id}\n`);
  expect((await git(to, ["cat-file", "blob", id])).toString()).toBe("x");
  await expect(pipeGit(pack, index, `${"1".repeat(40)}\n`)).rejects.toThrow(GitFailed);
});
