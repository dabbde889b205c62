import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AttemptFenced } from "../attempt/attempt.ts";
import { makeLogger } from "../log.ts";
import { decideTakeover } from "./decide-takeover.ts";
import { acquireLock } from "./project-lock.ts";
import type { Acquire } from "./project-lock.ts";
import { eventually, HostFixture, runIds } from "./workspace-fixture.ts";

describe("decideTakeover", () => {
  const mine = { runId: "a", attempt: 2 };
  const alive = { alive: true, impatient: false };
  const dead = { alive: false, impatient: false };
  const late = { alive: true, impatient: true };
  const other = { runId: "b", attempt: 9 };

  it.each([
    ["given back", { holder: other, released: true }, alive, "take"],
    [
      "same run, earlier attempt",
      { holder: { runId: "a", attempt: 1 }, released: false },
      alive,
      "take",
    ],
    ["same attempt", { holder: mine, released: false }, alive, "take"],
    [
      "same run, later attempt",
      { holder: { runId: "a", attempt: 3 }, released: false },
      alive,
      "fenced",
    ],
    [
      "same run, later attempt, dead",
      { holder: { runId: "a", attempt: 3 }, released: false },
      dead,
      "fenced",
    ],
    ["other run, alive", { holder: other, released: false }, alive, "wait"],
    ["other run, dead", { holder: other, released: false }, dead, "take"],
    ["other run, waited enough", { holder: other, released: false }, late, "evict"],
    ["unreadable", { holder: null, released: false }, alive, "wait"],
    ["unreadable, waited enough", { holder: null, released: false }, late, "evict"],
  ] as const)("%s", (_name, held, facts, verdict) => {
    expect(decideTakeover(held, mine, facts)).toBe(verdict);
  });
});

describe("a snapshot that a successor cuts short", () => {
  it("is fenced, and leaves the repository to the successor", async () => {
    const fixture = await HostFixture.make();
    try {
      const first = await fixture.open();
      const files = Array.from({ length: 3_000 }, (_, n) => join(first.root, `${n}.txt`));
      await Promise.all(files.map((file) => writeFile(file, file)));
      const cut = first.snapshot(null).catch((error: unknown) => error);
      const second = await fixture.open({ attempt: 2 });
      expect(await cut).toBeInstanceOf(AttemptFenced);
      const { tree } = await second.snapshot(null);
      expect(await second.snapshot(tree)).toEqual({ tree, pack: null });
    } finally {
      await fixture.remove();
    }
  });
});

describe("the lock", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "millrace-lock-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const request = (changes: Partial<Acquire> = {}): Acquire => ({
    folder,
    runId: runIds.first,
    attempt: 1,
    runnerId: "r",
    signal: new AbortController().signal,
    log: makeLogger({ secrets: [], write: () => undefined }),
    ...changes,
  });

  it("is one holder's among many that want it", async () => {
    let held = 0;
    const work = async (n: number): Promise<void> => {
      const lock = await acquireLock(request({ runId: `run-${n}` }));
      held += 1;
      expect(held).toBe(1);
      expect(lock.holds()).toBe(true);
      await new Promise((resolve) => setTimeout(resolve, 5));
      held -= 1;
      lock.release();
      expect(lock.holds()).toBe(false);
    };
    await Promise.all(Array.from({ length: 8 }, (_, n) => work(n)));
    expect(await readdir(folder)).toHaveLength(1);
  });

  it("goes to a later attempt at once, and the earlier one knows", async () => {
    const first = await acquireLock(request());
    const second = await acquireLock(request({ attempt: 2 }));
    expect([first.holds(), second.holds()]).toEqual([false, true]);
    const third = await acquireLock(request({ attempt: 3 }));
    expect([first.holds(), second.holds(), third.holds()]).toEqual([false, false, true]);
    first.release();
    expect(third.holds()).toBe(true);
    await expect(acquireLock(request({ attempt: 2 }))).rejects.toThrow(AttemptFenced);
    third.release();
  });

  it("is taken from another run that does not give it back", async () => {
    const slow = await acquireLock(request({ runId: runIds.second }));
    const lock = await acquireLock(request({ patienceMs: 100 }));
    expect([slow.holds(), lock.holds()]).toEqual([false, true]);
    lock.release();
  });

  it("is not waited for after a cancel", async () => {
    const lock = await acquireLock(request({ runId: runIds.second }));
    const stop = new AbortController();
    const waiting = acquireLock(request({ signal: stop.signal }));
    stop.abort();
    await expect(waiting).rejects.toThrow("aborted");
    lock.release();
  });
});

describe("a runner that is killed", () => {
  let host: HostFixture;
  beforeEach(async () => {
    host = await HostFixture.make();
  });
  afterEach(() => host.remove());

  /** A runner process of its own, with a command that writes to a file for ever. */
  const startRunner = async (isolation: string, command: string): Promise<number> => {
    const fixture = new URL("./workspace-fixture.ts", import.meta.url).href;
    const program = `
      import { HostFixture, FolderStore, runIn } from ${JSON.stringify(fixture)};
      const host = await HostFixture.make(new FolderStore("/nonexistent"));
      const config = { workspaceRoot: ${JSON.stringify(join(host.folder, "workspaces"))}, isolation: ${JSON.stringify(isolation)} };
      const workspace = await host.open({}, config);
      process.stdout.write("open\\n");
      await runIn(workspace, ${JSON.stringify(command)});
    `;
    const args = ["--input-type=module", "-e", program];
    const child = spawn(process.execPath, args, {
      // It is killed and cannot tidy up: what it makes goes where this test removes it.
      env: { ...process.env, TMPDIR: host.folder },
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    return child.pid ?? 0;
  };

  const loop = "while :; do date >> ticks; sleep 0.1; done";
  const ticks = (): string => join(host.folder, "workspaces/p/ticks");
  const sizeOfTicks = (): number => (existsSync(ticks()) ? statSync(ticks()).size : 0);

  it.each([
    ["off", loop],
    ["auto", loop],
    ["off", `setsid sh -c '${loop}' & wait`],
    ["auto", `setsid sh -c '${loop}' & wait`],
  ])(
    "takes its command along, without a successor (isolation %s: %s)",
    async (isolation, command) => {
      const pid = await startRunner(isolation, command);
      await eventually(() => sizeOfTicks() > 0);
      process.kill(pid, "SIGKILL");
      let size = -1;
      await eventually(async () => {
        const before = size;
        size = sizeOfTicks();
        await new Promise((resolve) => setTimeout(resolve, 400));
        return size === before;
      });
      expect(sizeOfTicks()).toBe(size);
    },
  );

  it.each(["off", "auto"] as const)(
    "leaves an orphan that is dead before the next attempt's first tool, though its watchdog died too (isolation %s)",
    async (isolation) => {
      const pid = await startRunner(isolation, loop);
      await eventually(() => sizeOfTicks() > 0);
      for (const watchdog of await watchdogsOf(pid)) process.kill(watchdog, "SIGKILL");
      process.kill(pid, "SIGKILL");
      const workspace = await host.open({ attempt: 2 }, { isolation });
      const size = sizeOfTicks();
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(sizeOfTicks()).toBe(size);
      expect(workspace.mutate(() => true)).toBe(true);
    },
  );

  it("does not make another run wait", async () => {
    const pid = await startRunner("off", loop);
    process.kill(pid, "SIGKILL");
    const workspace = await host.open({ runId: runIds.second, runIndex: 2 });
    expect(host.logged.join("")).not.toContain("did not give it back");
    expect(workspace.mutate(() => true)).toBe(true);
  });
});

async function watchdogsOf(parent: number): Promise<readonly number[]> {
  const found: number[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const line = readFileSync(`/proc/${name}/cmdline`, "utf8");
      const status = readFileSync(`/proc/${name}/status`, "utf8");
      const child = status.includes(`PPid:\t${parent}\n`);
      if (child && line.includes("millrace-watchdog")) found.push(Number(name));
    } catch {
      continue;
    }
  }
  return found;
}
