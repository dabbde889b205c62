import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isDeniedPath, isHiddenPath } from "./path-policy.ts";
import { WorkspaceRefusal } from "./workspace.ts";
import { resolveInside } from "./workspace-paths.ts";

let folder: string;
let root: string;
const roots = () => ({ root, output: join(folder, "output") });

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "millrace-paths-")));
  root = join(folder, "p");
  mkdirSync(join(root, "src/deep"), { recursive: true });
  mkdirSync(join(folder, "p-sibling"));
  writeFileSync(join(folder, "p-sibling/theirs"), "");
  writeFileSync(join(root, "src/a.ts"), "");
  writeFileSync(join(root, ".env"), "KEY=1");
  symlinkSync("src/a.ts", join(root, "inside"));
  symlinkSync("src", join(root, "folder"));
  symlinkSync("../p-sibling", join(root, "sibling"));
  symlinkSync("/etc", join(root, "etc"));
  symlinkSync(".env", join(root, "innocent"));
  symlinkSync("../nowhere", join(root, "dangling"));
  symlinkSync("loop", join(root, "loop"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("resolveInside", () => {
  it.each([
    ["", ""],
    [".", ""],
    ["/", ""],
    ["src/a.ts", "src/a.ts"],
    ["/src/a.ts", "src/a.ts"],
    ["./src//a.ts", "src/a.ts"],
    ["new/er/file.txt", "new/er/file.txt"],
    ["inside", "src/a.ts"],
    ["folder/new.ts", "src/new.ts"],
    [".env.example", ".env.example"],
    ["..a/b..", "..a/b.."],
    ["node_modules/x/package.json", "node_modules/x/package.json"],
    [".github/workflows/ci.yml", ".github/workflows/ci.yml"],
  ])("takes %j as %j", async (path, inside) => {
    for (const access of ["read", "write"] as const) {
      expect(await resolveInside(roots(), path, access)).toBe(join(root, inside));
    }
  });

  it("takes an absolute path below the root as it is", async () => {
    expect(await resolveInside(roots(), join(root, "src/a.ts"), "read")).toBe(
      join(root, "src/a.ts"),
    );
    expect(await resolveInside(roots(), root, "read")).toBe(root);
  });

  it.each([
    ["..", "outside_workspace"],
    ["../p-sibling/theirs", "outside_workspace"],
    ["src/../../p-sibling/theirs", "outside_workspace"],
    ["src/../src/a.ts", "outside_workspace"],
    ["sibling", "outside_workspace"],
    ["sibling/theirs", "outside_workspace"],
    ["sibling/new", "outside_workspace"],
    ["etc/passwd", "outside_workspace"],
    ["dangling", "invalid_path"],
    ["dangling/x", "invalid_path"],
    ["loop", "invalid_path"],
    ["src/a.ts/x", "invalid_path"],
    ["a\0b", "invalid_path"],
    ["x".repeat(300), "invalid_path"],
    ["innocent", "denied_path"],
    [".git/config", "denied_path"],
    ["src/.GIT/hooks/post-commit", "denied_path"],
    [".env", "denied_path"],
    [".ENV.production", "denied_path"],
    ["keys/server.pem", "denied_path"],
    ["id_rsa", "denied_path"],
    [".ssh/config", "denied_path"],
    [".npmrc", "denied_path"],
  ])("refuses %j: %s", async (path, code) => {
    for (const access of ["read", "write"] as const) {
      const refusal: unknown = await resolveInside(roots(), path, access).catch((error) => error);
      expect(refusal).toBeInstanceOf(WorkspaceRefusal);
      expect(refusal).toMatchObject({ code });
    }
  });

  it("shows tool outputs, to read only", async () => {
    const path = ".millrace/tool-output/call_1.txt";
    expect(await resolveInside(roots(), path, "read")).toBe(join(folder, "output/call_1.txt"));
    await expect(resolveInside(roots(), path, "write")).rejects.toMatchObject({
      code: "denied_path",
    });
    const escape = ".millrace/tool-output/../../x";
    await expect(resolveInside(roots(), escape, "read")).rejects.toThrow(WorkspaceRefusal);
  });
});

describe("names", () => {
  it.each([
    ".env",
    ".env.local",
    ".envrc",
    "a/b/.env",
    "cert.PEM",
    "x.key",
    "x.p12",
    "x.pfx",
    "id_ed25519",
    "id_ecdsa.pub",
    ".pypirc",
    ".netrc",
    ".git-credentials",
    ".aws/credentials",
    ".gnupg/x",
    ".kube/config",
    ".git/HEAD",
  ])("%s is denied and hidden", (path) => {
    expect(isDeniedPath(path)).toBe(true);
    expect(isHiddenPath(path)).toBe(true);
  });

  it.each(["node_modules/a/index.js", "app/.next/x", ".venv/bin/python", "a/__pycache__/b.pyc"])(
    "%s is hidden, not denied",
    (path) => {
      expect(isDeniedPath(path)).toBe(false);
      expect(isHiddenPath(path)).toBe(true);
    },
  );

  it.each([".env.example", "environment.ts", "keys.ts", ".gitignore", "dist/app.js", "build/x"])(
    "%s is shown",
    (path) => {
      expect(isDeniedPath(path)).toBe(false);
      expect(isHiddenPath(path)).toBe(false);
    },
  );
});
