import { randomUUID } from "node:crypto";
import { beforeAll, expect, it } from "vitest";
import {
  command,
  downloadFiles,
  holdAt,
  letGo,
  mark,
  readHomeFile,
  startFaultBench,
  untilHeldAt,
  type BegunRun,
  type FaultBench,
} from "../support/fault-bench.ts";
import { endAtEnd, findProcesses } from "../support/processes.ts";
import {
  attemptsIn,
  expectNoAnswerTwice,
  expectRecord,
  interruptedIn,
  requestsOf,
} from "../support/run-record.ts";
import { nameOf } from "../support/sse.ts";
import { waitUntil } from "../support/wait-until.ts";

let bench: FaultBench;

beforeAll(async () => {
  // One failure would end a run: that a hand-back is none is seen by its going on.
  bench = await startFaultBench({ vars: { MAX_ATTEMPTS: "1" } });
});

it("a runner that drains finishes what it can, hands back the rest and takes nothing new", async () => {
  const token = `drained-${randomUUID()}`;
  endAtEnd(token);
  const leaving = await bench.startRunner({ env: { DRAIN_DEADLINE_MS: "9000" } });
  const earlier = await bench.begin("earlier", { build: [mark("a"), { text: "Done." }] });
  await expectCompleted(earlier, [1]);
  const [short, long, streaming] = await Promise.all([
    bench.begin("short", { build: [mark("a"), holdAt("gate"), mark("b"), { text: "Done." }] }),
    bench.begin("long", {
      build: [mark("a"), command(`echo long; sleep 600 # ${token}`), mark("b"), { text: "Done." }],
    }),
    bench.begin("streaming", {
      build: [
        mark("a"),
        { text: "one two three", fault: { kind: "silence", afterChunks: 3, times: 1 } },
      ],
    }),
  ]);
  await untilHeldAt("gate", short);
  await long.stream.until(({ data }) => data["chunk"] === "long\n");
  await streaming.stream.until(({ data }) => String(data["token"]).includes("two"));

  const staying = await bench.startRunner();
  await staying.joined();
  leaving.signal("SIGTERM");
  await waitUntil("it drains", async () => (await leaving.log()).includes('"draining"'));
  // The pool prefers the runner that holds the project's files.
  const more = { build: [mark("b"), { text: "Done." }] };
  const late = await bench.begin("late", more, earlier.projectId);
  await letGo("gate", short, leaving);

  await expectCompleted(short, [1]);
  await expectCompleted(late, [1]);
  expect(await leaving.exited).toEqual({ code: 0, signal: null });
  expect(findProcesses(token)).toEqual([]);
  expect(await readHomeFile(leaving, short, "trace")).toBe("a\nb\n");
  expect(await readHomeFile(leaving, late, "trace")).toBe("a\n");
  expect(await readHomeFile(staying, late, "trace")).toBe("b\n");
  expect((await downloadFiles(bench.api, late)).get("trace.txt")).toBe("a\nb\n");

  // Neither shares a disk with the other: the files came along with the steps.
  await expectCompleted(long, [1, 2], ["call_build_1_0"]);
  await expectCompleted(streaming, [1, 2]);
  expect(await readHomeFile(leaving, long, "trace")).toBe("a\n");
  expect(await readHomeFile(staying, long, "trace")).toBe("b\n");
  expect((await downloadFiles(bench.api, long)).get("trace.txt")).toBe("a\nb\n");
  expect((await downloadFiles(bench.api, streaming)).get("trace.txt")).toBe("a\n");
});

async function expectCompleted(
  run: BegunRun,
  attempts: readonly number[],
  interrupted: readonly string[] = [],
): Promise<void> {
  const frames = await expectRecord(bench.api, run, await run.stream.toEnd());
  expect(frames.at(-1)?.event).toBe("done");
  expect(attemptsIn(frames)).toEqual(attempts);
  expect(interruptedIn(frames)).toEqual(interrupted);
  expect(frames.map(nameOf)).not.toContain("attempt_failed");
  expectNoAnswerTwice(requestsOf(bench.model.log(), run.title));
}
