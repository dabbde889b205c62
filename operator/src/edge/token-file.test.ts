import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { tokenFile } from "./token-file.ts";

it("reads what is there now, and keeps the last that could be read", () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-token-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "token");
  const token = tokenFile(file);
  expect(token).toThrow("ENOENT");
  for (const [written, read] of [
    ["one\n", "one"],
    ["two", "two"],
    ["", "two"],
  ] as const) {
    writeFileSync(file, written);
    expect(token()).toBe(read);
  }
  rmSync(file);
  expect(token()).toBe("two");
});
