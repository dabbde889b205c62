import { setTimeout as sleep } from "node:timers/promises";
import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import {
  command,
  placesOf,
  readHomeFile,
  startFaultBench,
  type BegunRun,
  type FaultBench,
} from "../support/fault-bench.ts";
import { endAtEnd, findChildren, findProcesses, kill } from "../support/processes.ts";
import { attemptsIn, expectRecord, interruptedIn } from "../support/run-record.ts";
import type { Runner } from "../support/runner-process.ts";
import { nameOf } from "../support/sse.ts";
import { waitUntil } from "../support/wait-until.ts";

let bench: FaultBench;

beforeAll(async () => {
  bench = await startFaultBench();
});

/** Without isolation a command can leave its process group; with it, nothing leaves its namespace. */
describe.each(["auto", "off"])(
  "RUNNER_ISOLATION=%s, a command that writes every 100 ms",
  (mode) => {
    const env = { RUNNER_ISOLATION: mode };

    it("ends with its killed runner by itself: nobody comes to the project", async () => {
      const victim = await bench.startRunner({ env });
      const { run, token } = await beginWriting(victim);
      await victim.kill();
      await waitUntil("the writers are gone", () => findProcesses(token).length === 0);
      await expectSuccession(await bench.startRunner({ env, ...placesOf(victim) }), run, token);
    });

    it("is ended by the next attempt when the watchdog was killed too", async () => {
      const victim = await bench.startRunner({ env });
      const { run, token } = await beginWriting(victim);
      // A stopped runner cannot start another watchdog.
      victim.signal("SIGSTOP");
      const watchdogs = findChildren(victim.pid, "millrace-watchdog");
      expect(watchdogs).toHaveLength(1);
      watchdogs.forEach(kill);
      await victim.kill();
      const before = await beatsOf(victim, run);
      await waitUntil("the orphans go on writing", async () => {
        const now = await beatsOf(victim, run);
        return now.length > before.length + 10;
      });
      expect(findProcesses(token).length).toBeGreaterThanOrEqual(2);
      await expectSuccession(await bench.startRunner({ env, ...placesOf(victim) }), run, token);
    });
  },
);

/** Two writers, one of them in a session of its own, whose command lines hold a token. */
async function beginWriting(runner: Runner): Promise<{ run: BegunRun; token: string }> {
  const token = `orphan-${randomUUID()}`;
  endAtEnd(token);
  const loop = 'while :; do date +%s%3N >> "$HOME/beats"; sleep 0.1; done';
  const run = await bench.begin(token, {
    build: [
      command(`setsid bash -c '${loop}' ${token} & ${loop} # ${token}`),
      command('echo next >> "$HOME/beats"; sleep 1'),
      { text: "Done." },
    ],
  });
  await waitUntil("both write", async () => {
    const beats = await beatsOf(runner, run);
    return beats.length > 4 && findProcesses(token).length >= 2;
  });
  return { run, token };
}

async function beatsOf(runner: Runner, run: BegunRun): Promise<readonly string[]> {
  return (await readHomeFile(runner, run, "beats")).trim().split("\n");
}

/** The next attempt's first tool starts later than the orphans' last line, and finds them dead. */
async function expectSuccession(successor: Runner, run: BegunRun, token: string): Promise<void> {
  await run.stream.until((frame) => nameOf(frame) === "running" && frame.data["attempt"] === 2);
  const first = await run.stream.until(
    ({ event, data }) => event === "tool" && data["phase"] === "start",
  );
  expect(findProcesses(token)).toEqual([]);
  const frames = await expectRecord(bench.api, run, await run.stream.toEnd());
  expect(frames.at(-1)?.event).toBe("done");
  expect(attemptsIn(frames)).toEqual([1, 2]);
  expect(interruptedIn(frames)).toEqual(["call_build_0_0"]);
  // For as long as an orphan would need to show itself once more.
  await sleep(300);
  const beats = await beatsOf(successor, run);
  expect(beats.indexOf("next")).toBe(beats.length - 1);
  expect(Number(beats.at(-2))).toBeLessThanOrEqual(Date.parse(first.ts));
}
