import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
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
import { listFiles } from "../support/file-list.ts";
import { endAtEnd, findProcesses } from "../support/processes.ts";
import { attach, signRunToken } from "../support/run-intruder.ts";
import { attemptsIn, expectRecord } from "../support/run-record.ts";
import type { Runner } from "../support/runner-process.ts";
import type { Frame } from "../support/sse.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { waitUntil } from "../support/wait-until.ts";

interface Fault {
  readonly begin: (victim: Runner, network: TcpProxy) => void;
  readonly end: (victim: Runner, network: TcpProxy) => void;
}

const stopped: Fault = {
  begin: (victim) => victim.signal("SIGSTOP"),
  end: (victim) => victim.signal("SIGCONT"),
};
const silent: Fault = {
  begin: (_, network) => network.blackhole(),
  end: (_, network) => network.restore(),
};
const cutOff: Fault = {
  begin: (_, network) => network.cut(),
  end: (_, network) => network.restore(),
};

const secret = randomUUID();

describe("a runner that misses the end of its lease writes nothing any more", () => {
  let bench: FaultBench;
  beforeAll(async () => {
    const vars = { LEASE_MS: "8000", RUN_TOKEN_SECRET: secret };
    bench = await startFaultBench({ vars });
  });

  it("when it was stopped and wakes up beside its successor", () => expectReplaced(bench, stopped));

  it("when the network carried nothing for a while", () => expectReplaced(bench, silent));

  it("though it has no clock, and speaks on the socket on which it once claimed", async () => {
    const run = await bench.begin("no clock", { build: [holdAt("end"), { text: "Done." }] });
    const token = signRunToken({ run: run.runId, attempt: 1 }, secret);
    const sleeper = attach(bench.platform.url, run.runId, token);
    expect(await sleeper.opened).toBe(true);
    sleeper.say({ type: "claim", runnerId: randomUUID(), attempt: 1 });
    sleeper.say(saying(1, "in time"));
    await run.stream.until(({ data }) => data["token"] === "in time");

    const successor = await bench.startRunner();
    await untilHeldAt("end", run);
    sleeper.say(saying(2, "too late"));
    sleeper.say({ type: "heartbeat", id: 1 });
    await sleeper.closed;
    expect(sleeper.answers.at(-1)).toEqual({ type: "refused", code: "fenced" });
    await letGo("end", run, successor);
    const frames = await expectRecord(bench.api, run, await run.stream.toEnd());
    expect(attemptsIn(frames)).toEqual([1, 2]);
    expect(frames.at(-1)?.data).toMatchObject({ output: "Done." });
    expect(JSON.stringify(frames)).not.toContain("too late");
  });

  it("and has ended its commands by itself before a runner on another disk starts", async () => {
    const network = await TcpProxy.start(bench.platform.url);
    await bench.startRunner({ edgeUrl: network.url });
    const token = `orphan-${randomUUID()}`;
    endAtEnd(token);
    const run = await bench.begin(token, {
      build: [command(`echo here; sleep 600 # ${token}`), { text: "Done." }],
    });
    await run.stream.until(({ data }) => data["chunk"] === "here\n");
    await (await bench.startRunner()).joined();
    expect(findProcesses(token)).not.toEqual([]);
    network.blackhole();
    await run.stream.until(({ data }) => data["status"] === "running" && data["attempt"] === 2);
    expect(findProcesses(token)).toEqual([]);
    const frames = await expectRecord(bench.api, run, await run.stream.toEnd());
    expect(frames.at(-1)?.event).toBe("done");
  });
});

describe("a runner that is cut off and believes in its lease", () => {
  let bench: FaultBench;
  beforeAll(async () => {
    bench = await startFaultBench();
  });

  it("is replaced, and writes nothing beside its successor", () => expectReplaced(bench, cutOff));
});

const saying = (producerSeq: number, text: string) => ({
  type: "frame" as const,
  producerSeq,
  events: [{ type: "text.delta" as const, data: { messageId: "m", text } }],
});

/** Runs that write in every way there is while their runner is lost. */
function beginAll(bench: FaultBench, title: string, token: string) {
  const loop = 'while :; do date +%s%3N | tee -a beats >> "$HOME/beats"; sleep 0.1; done';
  const files = Array.from({ length: 40 }, (_, n) => ({
    name: "write_file",
    arguments: { path: `files/${n}.txt`, content: `file ${n}` },
  }));
  return Promise.all([
    bench.begin(`${title}: a command writes`, {
      build: [
        holdAt("start"),
        command(`${loop} # ${token}`),
        command('echo next >> "$HOME/beats"'),
        holdAt("end"),
        { text: "Done." },
      ],
    }),
    bench.begin(`${title}: a model is about to call tools`, {
      build: [
        holdAt("start"),
        { text: "word ".repeat(50), tokenDelayMs: 50, ...mark("b") },
        holdAt("end"),
        { text: "Done." },
      ],
    }),
    bench.begin(`${title}: files are being written`, {
      build: [holdAt("start"), { toolCalls: files }, holdAt("end"), { text: "Done." }],
    }),
  ]);
}

async function expectReplaced(bench: FaultBench, fault: Fault): Promise<void> {
  const network = await TcpProxy.start(bench.platform.url);
  const victim = await bench.startRunner({ edgeUrl: network.url });
  const token = `orphan-${randomUUID()}`;
  endAtEnd(token);
  const runs = await beginAll(bench, token, token);
  const [writing, calling, filing] = runs;
  for (const run of runs) await untilHeldAt("start", run);
  const successor = await bench.startRunner({ workspaceRoot: victim.workspaceRoot });
  await successor.joined();
  for (const run of runs) await letGo("start", run, victim);
  await writing.stream.until(isStartOf("call_build_1_0"));
  await waitUntil("the command writes", async () => (await beatsOf(victim, writing)).length > 4);
  await calling.stream.until(({ event, data }) => event === "token" && data["token"] === " word");
  await filing.stream.until(isStartOf("call_build_1_2"));

  fault.begin(victim, network);
  for (const run of runs) await untilHeldAt("end", run);
  expect(findProcesses(token)).toEqual([]);

  const before = await listFiles(victim.workspaceRoot);
  fault.end(victim, network);
  await waitUntil("the lost runner learns that it was replaced", async () => {
    const fenced = (await victim.log()).split('"attempt is fenced"').length - 1;
    return fenced >= runs.length;
  });
  await sleep(500);
  expect(await listFiles(victim.workspaceRoot)).toEqual(before);

  const letGoAt = Date.now();
  for (const run of runs) await letGo("end", run, successor);
  for (const run of runs) await expectUntouched(bench, run, letGoAt);

  expect((await beatsOf(victim, writing)).at(-1)).toBe("next");
  expect(await readHomeFile(victim, calling, "trace")).toBe("b\n");
  expect((await downloadFiles(bench.api, calling)).get("trace.txt")).toBe("b\n");
  await expectServes(bench, victim, successor);
}

const isStartOf = (callId: string) => (frame: Frame) =>
  frame.event === "tool" && frame.data["phase"] === "start" && frame.data["callId"] === callId;

async function beatsOf(runner: Runner, run: BegunRun): Promise<readonly string[]> {
  return (await readHomeFile(runner, run, "beats")).trim().split("\n");
}

/** Nothing came into the log while the successor held still and the lost runner came back. */
async function expectUntouched(bench: FaultBench, run: BegunRun, letGoAt: number): Promise<void> {
  const frames = await expectRecord(bench.api, run, await run.stream.toEnd());
  expect(frames.at(-1)?.event).toBe("done");
  expect(attemptsIn(frames)).toEqual([1, 2]);
  const heldAt = frames.findIndex(({ data }) => data["chunk"] === "at end\n");
  expect(Date.parse(frames[heldAt + 1]?.ts ?? "")).toBeGreaterThanOrEqual(letGoAt);
}

/** The lost runner is as good as new. */
async function expectServes(bench: FaultBench, victim: Runner, successor: Runner): Promise<void> {
  await successor.kill();
  const run = await bench.begin("after all that", { build: [mark("a"), { text: "Done." }] });
  expect((await run.stream.toEnd()).at(-1)?.event).toBe("done");
  expect(await readHomeFile(victim, run, "trace")).toBe("a\n");
}
