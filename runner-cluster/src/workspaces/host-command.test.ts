import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AttemptFenced, LeaseLost } from "../attempt/attempt.ts";
import type { IsolationMode } from "./host-config.ts";
import { eventually, HostFixture, runIds, runIn } from "./workspace-fixture.ts";

let host: HostFixture;
beforeEach(async () => {
  host = await HostFixture.make();
});
afterEach(() => host.remove());

describe.each<{ isolation: IsolationMode }>([{ isolation: "off" }, { isolation: "auto" }])(
  "commands, isolation $isolation",
  ({ isolation }) => {
    const open = () => host.open({}, { isolation });

    it("answers output, error output and exit code", async () => {
      const ran = await runIn(await open(), "echo out; echo err >&2; exit 7");
      expect(ran).toMatchObject({ stdout: "out\n", stderr: "err\n", exitCode: 7, signal: null });
      expect(ran.timedOut).toBe(false);
    });

    it("runs in a folder of the project, writes there, and has node and git", async () => {
      const workspace = await open();
      await mkdir(join(workspace.root, "sub dir"));
      const ran = await runIn(workspace, "node -p 1+1 > two; pwd; git --version", {
        cwd: "sub dir",
      });
      expect(ran.stdout).toContain(join(workspace.root, "sub dir"));
      expect(ran.stdout).toContain("git version");
      expect(readFileSync(join(workspace.root, "sub dir/two"), "utf8")).toBe("2\n");
    });

    it("never cuts a character, whatever the chunks are", async () => {
      const ran = await runIn(
        await open(),
        'for b in 342 202 254; do printf "\\\\$b"; sleep 0.05; done',
      );
      expect(ran.stdout).toBe("€");
    });

    it("loses nothing of a large output", async () => {
      const ran = await runIn(await open(), "seq 1 200000");
      expect(ran.stdout.length).toBe(1_288_895);
    });

    it("has a clean environment and no input", async () => {
      process.env["MILLRACE_TEST_KEY"] = "sk-secret";
      const ran = await runIn(await open(), "env; cat");
      delete process.env["MILLRACE_TEST_KEY"];
      expect(ran.stdout).not.toContain("sk-secret");
      const names = ran.stdout.split("\n").map((row) => row.split("=")[0]);
      expect(names).toContain("HOME");
      expect(names).not.toContain("VITEST");
    });

    it("keeps HOME and /tmp between commands", async () => {
      const workspace = await open();
      await runIn(workspace, "echo kept > ~/file; echo there > $TMPDIR/file");
      expect((await runIn(workspace, "cat ~/file $TMPDIR/file")).stdout).toBe("kept\nthere\n");
    });

    it("stops at its time limit, and says so", async () => {
      const ran = await runIn(await open(), "echo begun; sleep 600", { timeoutMs: 500 });
      expect(ran).toMatchObject({ timedOut: true, exitCode: null, stdout: "begun\n" });
    });

    it("lets a command clean up when it is stopped", async () => {
      const command = "trap 'echo cleaned; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
      const stop = new AbortController();
      const onOutput = (text: string): void => {
        if (text.includes("ready")) stop.abort();
      };
      const said: string[] = [];
      await runIn(await open(), command, {
        signal: stop.signal,
        onOutput: (_stream, text) => {
          said.push(text);
          onOutput(text);
        },
      });
      expect(said.join("")).toContain("cleaned");
    });

    it("ends the whole tree on cancel, a child in its own session included", async () => {
      const workspace = await open();
      const command =
        "trap '' TERM; setsid sh -c 'while :; do date >> ticks; sleep 0.05; done' & sh -c \"trap '' TERM; sleep 600\"";
      const stop = new AbortController();
      const running = runIn(workspace, command, { signal: stop.signal });
      const ticks = join(workspace.root, "ticks");
      await eventually(() => existsSync(ticks));
      stop.abort();
      // bubblewrap itself heeds the first signal, and takes along what ignores it.
      const signal: unknown = expect.stringMatching(/^SIG(KILL|TERM)$/);
      expect(await running).toMatchObject({ exitCode: null, signal });
      await expectStill(ticks);
    });

    it("leaves nothing of a command behind when it ends", async () => {
      const workspace = await open();
      await runIn(workspace, "(while :; do date >> ticks; sleep 0.05; done) & sleep 0.3");
      await runIn(
        workspace,
        "setsid sh -c 'while :; do date >> ticks; sleep 0.05; done' >/dev/null & sleep 0.3",
      );
      await expectStill(join(workspace.root, "ticks"));
    });

    it("does not begin when the lease is lost", async () => {
      const workspace = await open();
      host.attempt.loseLease();
      await expect(runIn(workspace, "touch began")).rejects.toThrow(LeaseLost);
      expect(existsSync(join(workspace.root, "began"))).toBe(false);
    });

    it("refuses a working directory outside", async () => {
      await expect(runIn(await open(), "pwd", { cwd: "../.." })).rejects.toThrow("..");
    });
  },
);

describe("a workspace that another attempt took", () => {
  it("neither runs nor writes, and its command is dead", async () => {
    const old = await host.open();
    const ticks = join(old.root, "ticks");
    const running = runIn(old, "while :; do date >> ticks; sleep 0.05; done");
    await eventually(() => existsSync(ticks));
    const next = await host.open({ attempt: 2 });
    await expectStill(ticks);
    await running;
    expect(() => old.mutate(() => writeFileSync(join(old.root, "x"), ""))).toThrow(AttemptFenced);
    await expect(runIn(old, "true")).rejects.toThrow(AttemptFenced);
    await expect(old.commit("late")).rejects.toThrow(AttemptFenced);
    expect(next.mutate(() => 1)).toBe(1);
    await expect(host.open({ attempt: 1 })).rejects.toThrow(AttemptFenced);
  });

  it("writes nothing without a lease", async () => {
    const workspace = await host.open();
    host.attempt.loseLease();
    expect(() => workspace.mutate(() => 1)).toThrow(LeaseLost);
  });
});

describe("isolation", () => {
  it("hides other projects, our own files, the user's home and the machine's processes", async () => {
    const other = await host.open({ projectId: "other", runId: runIds.second });
    writeFileSync(join(other.root, "theirs"), "private");
    const workspace = await host.open({}, { isolation: "auto" });
    if (!workspace.opened.isolated) return;
    const root = join(host.folder, "workspaces");
    const ran = await runIn(
      workspace,
      `ls -A ${root}; cat ${root}/other/theirs; ls ${root}/.millrace; ls /root; ls -A /etc/shadow; ps ax | wc -l; echo $HOME`,
    );
    expect(ran.stdout).not.toContain("private");
    const rows = ran.stdout.trim().split("\n");
    expect(rows[0]).toBe("p");
    expect(Number(rows.at(-2))).toBeLessThan(10);
    expect(rows).toHaveLength(3);
  });

  it("keeps the system's folders read-only, whatever a command tries", async () => {
    const workspace = await host.open({}, { isolation: "auto" });
    if (!workspace.opened.isolated) return;
    const tries = [
      "touch /usr/x",
      "touch /x",
      "mount -o remount,rw /usr",
      "umount /usr",
      "mknod d b 8 0",
    ];
    const script = tries.map((one) => `${one} 2>/dev/null && echo "done: ${one}"`).join("\n");
    expect((await runIn(workspace, script)).stdout).toBe("");
  });
});

async function expectStill(file: string): Promise<void> {
  const before = existsSync(file) ? statSync(file).size : 0;
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(existsSync(file) ? statSync(file).size : 0).toBe(before);
}
