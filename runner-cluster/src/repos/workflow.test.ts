import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { systemPrompt } from "../engine/prompts.ts";
import { GitHost } from "../testing/git-host.ts";
import { HostFixture, runIn } from "../workspaces/workspace-fixture.ts";
import { RepositoryFailed } from "./clone-repos.ts";

let host: GitHost;
let disk: HostFixture;

beforeAll(async () => {
  host = await GitHost.start();
  await host.add("flows", {
    "AGENTS.md": "Be careful.\n",
    "fix/CLAUDE.md": "Fix it.\n",
    "fix/notes.txt": "n\n",
    "empty/x": "x\n",
  });
});
afterAll(() => host.stop());
beforeEach(async () => {
  disk = await HostFixture.make();
});
afterEach(() => disk.remove());

const open = (path: string, branch = "main") => {
  const wish = { gitUrl: `${host.url}/flows.git`, branch, path };
  const folder = join(disk.folder, "workflow");
  return disk.open({}, { workflow: { wish, folder }, visiblePaths: [folder] });
};

it("lies beside the workspace, and its instructions are in the prompt", async () => {
  const workspace = await open("fix");
  const folder = join(disk.folder, "workflow");
  expect(
    systemPrompt({ phase: "plan", interactive: false }, { workspace, mcp: { notes: [] } }),
  ).toContain(`${folder}, which your commands can read. Its fix/CLAUDE.md says:\n\nFix it.`);
  expect((await runIn(workspace, `cat ${folder}/fix/notes.txt; ls -A`)).stdout).toBe("n\n.git\n");
  expect(existsSync(join(folder, ".git"))).toBe(false);
});

it("is fetched anew by the next attempt", async () => {
  await (await open("")).release();
  await host.commit("flows", { "AGENTS.md": "Be quick.\n" });
  const again = await open("");
  expect(again.opened.workflow?.instructions).toBe("Be quick.\n");
  expect(readFileSync(join(disk.folder, "workflow/AGENTS.md"), "utf8")).toBe("Be quick.\n");
});

it("fails the attempt when it is not there, or says nothing", async () => {
  await expect(open("", "none")).rejects.toThrow(RepositoryFailed);
  await expect(open("empty")).rejects.toThrow(
    /^The workflow .*flows\.git could not be used: there is no empty\/AGENTS\.md and no empty\/CLAUDE\.md$/,
  );
});
