import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeRedactor, type RunnerEvent } from "@millrace/contracts";
import { afterEach, describe, it } from "vitest";
import { openDirectoryWorkspace, type DirectoryWorkspace } from "../testing/directory-workspace.ts";
import { replaceExactly } from "./edit-file.ts";
import { toolBounds } from "./tool-bounds.ts";
import { describeTools, findTool } from "./toolsets.ts";

const open: DirectoryWorkspace[] = [];
afterEach(() => {
  for (const workspace of open.splice(0)) workspace.remove();
});

const planning = { phase: "plan", interactive: false, remote: [] } as const;
const building = { ...planning, phase: "build" } as const;

function use(files: Readonly<Record<string, string>> = {}) {
  const workspace = openDirectoryWorkspace(files);
  open.push(workspace);
  const emitted: RunnerEvent[] = [];
  const redactor = makeRedactor(["the-secret-key"]);
  const call = (name: string, args: unknown, signal = new AbortController().signal) => {
    const tool = findTool(building, name);
    if (!tool) throw new Error(`no tool ${name}`);
    return tool.execute(tool.schema.parse(args) as never, {
      workspace,
      callId: "c1",
      phase: "build",
      signal,
      commandTimeoutMs: 20_000,
      emit: (event) => emitted.push(event),
      redactStream: () => redactor.stream(),
    });
  };
  const file = (path: string): string => readFileSync(join(workspace.root, path), "utf8");
  const shown = (): string =>
    emitted.map((event) => (event.type === "tool.output" ? event.data.chunk : "")).join("");
  return { workspace, emitted, call, file, shown };
}

describe("toolsets", () => {
  it("have nothing that changes anything while planning", ({ expect }) => {
    const names = describeTools(planning).map((t) => t.type === "function" && t.function.name);
    expect(names).toEqual(["ls", "read_file", "glob", "grep", "write_todos"]);
    expect(findTool(planning, "run_command")).toBeUndefined();
  });

  it("are described in plain JSON schema", ({ expect }) => {
    const tool = describeTools(building).find(
      (t) => t.type === "function" && t.function.name === "edit_file",
    );
    expect(tool).toMatchObject({
      function: {
        parameters: {
          type: "object",
          required: ["path", "old_string", "new_string"],
          properties: { replace_all: { type: "boolean", default: false } },
        },
      },
    });
    expect(JSON.stringify(describeTools(building))).not.toMatch(
      /\$schema|additionalProperties|imum"/,
    );
  });
});

describe("ls", () => {
  it("lists a directory without what is hidden", async ({ expect }) => {
    const { call } = use({
      "a.txt": "12345",
      "src/b.ts": "",
      ".env": "KEY=1",
      "node_modules/x/i.js": "",
    });
    const result = await call("ls", {});
    expect(result.content).toBe("a.txt (5 bytes)\nsrc/");
    expect(result.events).toMatchObject([{ type: "file.read", data: { op: "ls", entryCount: 2 } }]);
  });

  it("takes paths as models write them", async ({ expect }) => {
    const { call, workspace } = use({ "src/b.ts": "" });
    for (const path of ["src", "./src/", "/src", join(workspace.root, "src")]) {
      expect((await call("ls", { path })).content).toBe("b.ts (0 bytes)");
    }
    await expect(call("ls", { path: "../etc" })).rejects.toMatchObject({
      code: "outside_workspace",
    });
    await expect(call("ls", { path: "nowhere" })).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("read_file", () => {
  const lines = Array.from({ length: 50 }, (_, n) => `line ${n + 1}`).join("\n");

  it("numbers lines and reads pages", async ({ expect }) => {
    const { call } = use({ "a.txt": lines });
    const result = await call("read_file", { path: "a.txt", offset: 10, limit: 2 });
    expect(result.content).toBe(
      "11\tline 11\n12\tline 12\n[lines 11-12 of 50; go on with offset 12]",
    );
    expect(result.events).toMatchObject([
      { data: { op: "read", path: "a.txt", size: lines.length } },
    ]);
  });

  it("bounds what it answers", async ({ expect }) => {
    const { call } = use({
      "wide.txt": "x".repeat(10_000),
      "long.txt": `${"y".repeat(1_000)}\n`.repeat(500),
    });
    expect((await call("read_file", { path: "wide.txt" })).content.length).toBeLessThan(2_100);
    const long = (await call("read_file", { path: "long.txt" })).content;
    expect(long.length).toBeLessThanOrEqual(toolBounds.outputChars);
    expect(long).toMatch(/go on with offset \d+\]$/);
  });

  it("refuses what is no text file", async ({ expect }) => {
    const { call, workspace } = use({ "d/x": "", empty: "" });
    writeFileSync(join(workspace.root, "bin"), Buffer.from([1, 0, 2]));
    execFileSync("sh", ["-c", "mkfifo pipe"], { cwd: workspace.root });
    await expect(call("read_file", { path: "bin" })).rejects.toMatchObject({ code: "binary" });
    await expect(call("read_file", { path: "d" })).rejects.toMatchObject({
      code: "is_a_directory",
    });
    await expect(call("read_file", { path: "pipe" })).rejects.toMatchObject({ code: "not_a_file" });
    await expect(call("read_file", { path: ".env" })).rejects.toMatchObject({ code: "secret" });
    await expect(call("read_file", { path: "empty", offset: 5 })).rejects.toMatchObject({
      code: "past_the_end",
    });
    expect((await call("read_file", { path: "empty" })).content).toBe("(empty file)");
  });
});

describe("write_file", () => {
  it("makes directories and replaces what was there", async ({ expect }) => {
    const { call, file } = use({ "a/b/c.txt": "a much longer text" });
    await call("write_file", { path: "a/b/c.txt", content: "ü" });
    await call("write_file", { path: "new/dir/d.txt", content: "$&" });
    expect([file("a/b/c.txt"), file("new/dir/d.txt")]).toEqual(["ü", "$&"]);
  });

  it("follows no link that appeared at the end of the path", async ({ expect }) => {
    const { call, workspace, file } = use({ target: "kept" });
    symlinkSync("target", join(workspace.root, "link"));
    const writing = call("write_file", { path: "link", content: "x" });
    await expect(writing).rejects.toMatchObject({ code: "not_writable" });
    expect(file("target")).toBe("kept");
  });

  it("writes nothing when the workspace is not held any more", async ({ expect }) => {
    const { call, workspace } = use();
    workspace.guard = () => {
      throw new Error("lost");
    };
    await expect(call("write_file", { path: "x", content: "x" })).rejects.toThrow("lost");
    expect(existsSync(join(workspace.root, "x"))).toBe(false);
  });
});

describe("edit_file", () => {
  it.for([
    ["the only match", "a b c", ["b", "X"], "a X c"],
    ["patterns of replace are plain text", "a b", ["b", "$&$1$$`"], "a $&$1$$`"],
    ["nothing put there", "a b c", [" b", ""], "a c"],
    ["line ends exactly", "a\r\nb", ["a\r\n", "c\r\n"], "c\r\nb"],
  ] as const)("%s", ([, text, [old_string, new_string], expected], { expect }) => {
    const args = { old_string, new_string, replace_all: false };
    expect(replaceExactly(text, args).text).toBe(expected);
  });

  it.for([
    ["no_match", "a", ["b", "c"]],
    ["many_matches", "a a", ["a", "b"]],
    ["invalid_arguments", "a", ["a", "a"]],
    ["invalid_arguments", "a", ["", "b"]],
  ] as const)("refuses: %s", ([code, text, [old_string, new_string]], { expect }) => {
    const args = { old_string, new_string, replace_all: false };
    expect(() => replaceExactly(text, args)).toThrow(expect.objectContaining({ code }));
  });

  it("replaces all when told to, and says how many", async ({ expect }) => {
    const { call, file } = use({ "a.txt": "x y x" });
    const args = { path: "a.txt", old_string: "x", new_string: "z", replace_all: true };
    expect((await call("edit_file", args)).output).toMatchObject({ replacements: 2 });
    expect(file("a.txt")).toBe("z y z");
  });
});

describe("glob and grep", () => {
  const files = {
    "root.ts": "const needle = 1;\n",
    "src/a.ts": "first\nthe needle (here)\n",
    "src/deep/b.md": "Needle\n",
    "node_modules/x.ts": "needle",
    ".env": "needle",
    ".github/w.yml": "needle: 1",
  };

  it("find files by pattern, at the root as well", async ({ expect }) => {
    const { call } = use(files);
    expect((await call("glob", { pattern: "**/*.ts" })).content).toBe("root.ts\nsrc/a.ts");
    expect((await call("glob", { pattern: "*.md", path: "src/deep" })).content).toBe(
      "src/deep/b.md",
    );
    await expect(call("glob", { pattern: "../*" })).rejects.toMatchObject({
      code: "outside_workspace",
    });
  });

  it("find lines, literally unless told otherwise", async ({ expect }) => {
    const { call } = use(files);
    expect((await call("grep", { pattern: "needle" })).content).toBe(
      ".github/w.yml:1: needle: 1\nroot.ts:1: const needle = 1;\nsrc/a.ts:2: the needle (here)",
    );
    expect((await call("grep", { pattern: "(here)" })).content).toBe(
      "src/a.ts:2: the needle (here)",
    );
    expect(
      (await call("grep", { pattern: "^n\\w+$", regex: true, ignore_case: true })).content,
    ).toBe("src/deep/b.md:1: Needle");
    expect((await call("grep", { pattern: "needle", path: "src/a.ts" })).content).toBe(
      "src/a.ts:2: the needle (here)",
    );
    expect((await call("grep", { pattern: "needle", glob: "**/*.md" })).content).toBe(
      "No line matches.",
    );
    await expect(call("grep", { pattern: "(", regex: true })).rejects.toMatchObject({
      code: "invalid_arguments",
    });
  });

  it("search the long output of a command, and say what is too large to search", async ({
    expect,
  }) => {
    const { call, workspace } = use({ "a.txt": "needle" });
    await call("run_command", { command: "seq 1 400000; echo oops >&2" });
    const where = { path: ".millrace/tool-output/c1.txt" };
    const found = await call("grep", { ...where, pattern: "222222" });
    expect(found.content).toBe(".millrace/tool-output/c1.txt:222223: 222222");
    expect((await call("grep", { ...where, pattern: "oops" })).output).toMatchObject({
      matchCount: 1,
    });
    truncateSync(join(workspace.root, "a.txt"), toolBounds.grepMaxFileBytes + 1);
    expect((await call("grep", { pattern: "needle" })).content).toBe(
      "No line matches.\n[1 file(s) too large to search]",
    );
  });

  it("do not follow links out of the workspace", async ({ expect }) => {
    const { call, workspace } = use();
    symlinkSync("/etc", join(workspace.root, "etc"));
    symlinkSync("/etc/passwd", join(workspace.root, "passwd"));
    expect((await call("grep", { pattern: "root" })).content).toBe("No line matches.");
    expect((await call("glob", { pattern: "**/passwd*" })).content).not.toContain("etc/passwd");
  });

  it("let go of an expression that backtracks for ever, and of this process meanwhile", async ({
    expect,
  }) => {
    const { call } = use({ "a.txt": `${"a".repeat(40)}!` });
    const controller = new AbortController();
    const searching = call("grep", { pattern: "^(a+)+$", regex: true }, controller.signal);
    setTimeout(() => controller.abort(new Error("enough")), 500);
    await expect(searching).rejects.toThrow("enough");
  });
});

describe("run_command", () => {
  it("answers exit code and output, and shows the output as it comes", async ({ expect }) => {
    const { call, emitted, shown } = use({ "sub/x": "" });
    const result = await call("run_command", { command: "ls; echo oops >&2; exit 3", cwd: "sub" });
    expect(result.output).toMatchObject({
      exitCode: 3,
      stdout: "x\n",
      stderr: "oops\n",
      timedOut: false,
    });
    expect(result.content).toContain("Exit code 3.");
    expect(shown()).toContain("oops");
    expect(emitted[0]).toMatchObject({
      type: "tool.output",
      data: { cmd: "ls; echo oops >&2; exit 3" },
    });
  });

  it("ends a command whose time is over, and says so", async ({ expect }) => {
    const { call } = use();
    const result = await call("run_command", { command: "echo hi; sleep 60", timeoutMs: 300 });
    expect(result.output).toMatchObject({ timedOut: true, stdout: "hi\n" });
    expect(result.content).toMatch(/^Ended after 0.3 s/);
  });

  it("keeps large output in a file and gives its end", async ({ expect }) => {
    const { call, emitted, shown, file } = use();
    const result = await call("run_command", { command: "seq 1 40000" });
    const { outputFile, stdout } = result.output as { outputFile: string; stdout: string };
    expect(stdout).toMatch(/40000\n$/);
    expect(stdout.length).toBeLessThan(toolBounds.outputChars);
    expect(shown().length).toBeLessThan(toolBounds.outputChars + 100);
    expect(shown()).toMatch(/^1\n2\n/);
    for (const event of emitted) {
      expect(event.type === "tool.output" && event.data.chunk.length <= toolBounds.chunkChars).toBe(
        true,
      );
    }
    expect(file(outputFile)).toContain("\n20000\n");
    expect(result.content).toContain(outputFile);
  });

  it("shows no secret, not even one that comes in two parts", async ({ expect }) => {
    const { call, shown } = use();
    const command = "printf the-secr; sleep 0.2; printf 'et-key done'";
    const result = await call("run_command", { command });
    expect(shown()).toBe("[redacted] done");
    expect(JSON.stringify(result)).not.toContain("et-key");
  });

  it("throws the reason when it is stopped", async ({ expect }) => {
    const { call } = use();
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("cancelled")), 200);
    const running = call("run_command", { command: "sleep 60" }, controller.signal);
    await expect(running).rejects.toThrow("cancelled");
  });
});
