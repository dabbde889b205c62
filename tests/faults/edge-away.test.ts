import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { expectOneAttempt, follow, outputOf, startEdgeBench } from "../support/edge-bench.ts";
import { command, mark } from "../support/fault-bench.ts";
import { endAtEnd, findProcesses } from "../support/processes.ts";
import { interruptedIn } from "../support/run-record.ts";
import { waitUntil } from "../support/wait-until.ts";

it("does not disturb a command when it is away for ten seconds", async () => {
  const bench = await startEdgeBench();
  const nap = `0.1${randomInt(1e9)}`;
  endAtEnd(nap);
  const lines = Array.from({ length: 120 }, (_, i) => `tick-${i}\n`).join("");
  const loop = `for i in $(seq 0 119); do echo tick-$i | tee -a "$HOME/trace"; sleep ${nap}; done`;
  const run = await bench.begin("ten seconds", {
    build: [command(`${loop} | tee trace.txt`), { text: "Done." }],
  });
  const followers = follow(bench, run);
  await followers[0].until(() => outputOf(followers[0]).includes("tick-5\n"));
  await bench.platform.restart(10_000);
  const frames = await expectOneAttempt(bench, run, { followers, trace: lines });
  expect(outputOf(followers[0])).toBe(lines);
  expect(interruptedIn(frames)).toEqual([]);
  expect(findProcesses(nap)).toEqual([]);
});

it("ends a command with the lease when it is away for longer, and the attempt goes on when it is back", async () => {
  const leaseMs = 5_000;
  const bench = await startEdgeBench({ vars: { LEASE_MS: String(leaseMs) } });
  const nap = `600.${randomInt(1e9)}`;
  endAtEnd(nap);
  const run = await bench.begin("three leases", {
    build: [
      mark("before"),
      command(`echo begun | tee -a "$HOME/trace" >> trace.txt; echo now; sleep ${nap}`),
      mark("after"),
      { text: "Done." },
    ],
  });
  const followers = follow(bench, run);
  await followers[0].until(() => outputOf(followers[0]).includes("now\n"));
  await bench.platform.kill();
  const killedAt = Date.now();
  expect(findProcesses(nap)).not.toEqual([]);
  await waitUntil("the command is gone while the edge is away", () => !findProcesses(nap).length);
  await sleep(Math.max(0, killedAt + 3 * leaseMs - Date.now()));
  await bench.platform.start();
  const trace = "before\nbegun\nafter\n";
  const frames = await expectOneAttempt(bench, run, { followers, trace });
  expect(interruptedIn(frames)).toHaveLength(1);
});
