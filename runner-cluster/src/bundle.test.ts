import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";
import { search } from "./tools/search.ts";

const run = promisify(execFile);
const room = new URL("..", import.meta.url).pathname;

/** What is in the image, away from every node_modules, as it is there. */
it("is whole: every file of it can be read, and its programs work alone", async () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-bundle-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  await run("npm", ["run", "--silent", "bundle", "--", `--outdir=${folder}`], { cwd: room });
  const files = readdirSync(folder);
  expect(files).toEqual(expect.arrayContaining(["main.js", "search-worker.js"]));
  for (const file of files) await run(process.execPath, ["--check", join(folder, file)]);
  const listed = search(
    { kind: "list", directory: folder, pattern: "search-*.js" },
    AbortSignal.timeout(30_000),
    join(folder, "search-worker.js"),
  );
  await expect(listed).resolves.toEqual({ kind: "listed", paths: ["search-worker.js"] });
}, 120_000);
