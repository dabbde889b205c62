import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeRedactor } from "@millrace/contracts";
import { afterAll, beforeAll, describe, it } from "vitest";
import { HostFixture } from "../workspaces/workspace-fixture.ts";
import type { Workspace } from "../workspaces/workspace.ts";
import { findTool } from "./toolsets.ts";

let fixture: HostFixture;
let workspace: Workspace;
beforeAll(async () => {
  fixture = await HostFixture.make();
  workspace = await fixture.open();
});
afterAll(() => fixture.remove());

function call(name: string, args: unknown) {
  const tool = findTool({ phase: "build", interactive: false, remote: [] }, name);
  if (!tool) throw new Error(`no tool ${name}`);
  return tool.execute(tool.schema.parse(args) as never, {
    workspace,
    callId: "call_1",
    phase: "build",
    signal: new AbortController().signal,
    commandTimeoutMs: 20_000,
    emit: () => undefined,
    redactStream: () => makeRedactor([]).stream(),
  });
}

describe("tools on a host workspace", () => {
  it("write, edit, read, find and run in one project", async ({ expect }) => {
    await call("write_file", { path: "/src/new/a.js", content: "console.log('one');\n" });
    await call("edit_file", { path: "src/new/a.js", old_string: "one", new_string: "two" });
    expect((await call("read_file", { path: "src/new/a.js" })).content).toBe(
      "1\tconsole.log('two');",
    );
    expect((await call("glob", { pattern: "**/*.js" })).content).toBe("src/new/a.js");
    expect((await call("grep", { pattern: "two" })).content).toContain("src/new/a.js:1:");
    const ran = await call("run_command", { command: "cat new/a.js", cwd: "src" });
    expect(ran.output).toMatchObject({ exitCode: 0, stdout: "console.log('two');\n" });
    expect((await call("ls", {})).content).toBe("src/");
  });

  it("read what was cut off from the file that holds it", async ({ expect }) => {
    const { output } = await call("run_command", { command: "seq 1 40000" });
    const { outputFile } = output as { readonly outputFile: string };
    const page = await call("read_file", { path: outputFile, offset: 20_000, limit: 1 });
    expect(page.content).toMatch(/^20001\t20000\n/);
    expect((await call("grep", { pattern: "31415", path: outputFile })).content).toContain("31415");
    await expect(call("write_file", { path: outputFile, content: "x" })).rejects.toThrow();
  });

  it("stay away from secrets, from .git and from what lies outside", async ({ expect }) => {
    writeFileSync(join(workspace.root, ".env"), "KEY=hidden-value");
    mkdirSync(join(workspace.root, "sub"), { recursive: true });
    writeFileSync(join(workspace.root, "sub/server.pem"), "hidden-value");
    symlinkSync("/etc", join(workspace.root, "etc"));
    for (const path of [".env", "sub/server.pem", ".git/config", "etc/passwd", "../x"]) {
      await expect(call("read_file", { path })).rejects.toHaveProperty("name", "WorkspaceRefusal");
      const writing = call("write_file", { path, content: "x" });
      await expect(writing).rejects.toHaveProperty("name", "WorkspaceRefusal");
    }
    expect((await call("grep", { pattern: "hidden-value" })).content).toBe("No line matches.");
    expect((await call("glob", { pattern: "**/*" })).content).not.toMatch(/pem|\.env|passwd/);
    expect((await call("ls", {})).content).not.toContain(".env");
  });

  it("change nothing once the lease is lost", async ({ expect }) => {
    fixture.attempt.loseLease();
    const writing = call("write_file", { path: "late.txt", content: "x" });
    await expect(writing).rejects.toHaveProperty("name", "LeaseLost");
    const running = call("run_command", { command: "touch late.txt" });
    await expect(running).rejects.toHaveProperty("name", "LeaseLost");
    expect((await call("glob", { pattern: "late*" })).content).toBe("No file matches.");
  });
});
