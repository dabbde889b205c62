import { randomUUID } from "node:crypto";
import { runnerPaths, type RunnerToRun } from "@millrace/contracts";
import { beforeAll, describe, expect, it } from "vitest";
import {
  command,
  holdAt,
  letGo,
  mark,
  readHomeFile,
  startFaultBench,
  untilHeldAt,
  type BegunRun,
  type FaultBench,
} from "../support/fault-bench.ts";
import { intrude, signRunToken, type Reception } from "../support/run-intruder.ts";
import {
  attemptsIn,
  expectNoAnswerTwice,
  expectRecord,
  requestsOf,
} from "../support/run-record.ts";
import { nameOf, type Frame } from "../support/sse.ts";
import { TcpProxy, type Fate } from "../support/tcp-proxy.ts";
import { waitUntil } from "../support/wait-until.ts";

const secret = randomUUID();
let bench: FaultBench;

beforeAll(async () => {
  bench = await startFaultBench({ vars: { RUN_TOKEN_SECRET: secret } });
});

const twoSteps = { build: [mark("a"), mark("b"), { text: "Done." }] };

const isRunSocket = (requestLine: string): boolean => requestLine.startsWith("GET /runner/runs/");

async function expectCompleted(
  run: BegunRun,
  attempts: readonly number[],
): Promise<readonly Frame[]> {
  const frames = await expectRecord(bench.api, run, await run.stream.toEnd());
  expect(frames.at(-1)?.event).toBe("done");
  expect(attemptsIn(frames)).toEqual(attempts);
  expectNoAnswerTwice(requestsOf(bench.model.log(), run.title));
  return frames;
}

describe("an offer", () => {
  it("whose runner dies between accept and claim goes to another, as the same attempt", async () => {
    const network = await TcpProxy.start(bench.platform.url);
    network.fateOf = (line) => (isRunSocket(line) ? "lose_requests" : "pass");
    const victim = await bench.startRunner({ edgeUrl: network.url });
    await victim.joined();
    const run = await bench.begin("dies before its claim", twoSteps);
    // With its second try the queue's message is spent as well: it came within a second, and found this runner only.
    await waitUntil("the runner has accepted and claims", () => network.losses > 1);
    const other = await bench.startRunner();
    await other.joined();
    await victim.kill();
    await expectCompleted(run, [1]);
    expect(await readHomeFile(other, run, "trace")).toBe("a\nb\n");
  });
});

describe("a claim whose answer is lost", () => {
  const losses: readonly (readonly [string, Fate])[] = [
    ["in silence", "lose_messages"],
    ["with the connection", "break_at_message"],
  ];

  it.each(losses)("%s, is made again and starts nothing twice", async (how, fate) => {
    const network = await TcpProxy.start(bench.platform.url);
    network.fateOf = (line) => (isRunSocket(line) && network.losses === 0 ? fate : "pass");
    const runner = await bench.startRunner({ edgeUrl: network.url });
    const run = await bench.begin(`answer lost ${how}`, twoSteps);
    const frames = await expectCompleted(run, [1]);
    expect(network.losses).toBe(1);
    expect(frames.filter((frame) => nameOf(frame) === "running")).toHaveLength(1);
    expect(await readHomeFile(runner, run, "trace")).toBe("a\nb\n");
  });
});

describe("a leased run", () => {
  it("takes nothing from anybody else, whatever token they show", async () => {
    const first = await bench.startRunner();
    const run = await bench.begin("leased", {
      build: [mark("a"), command("echo begun; sleep 600"), holdAt("gate"), { text: "Done." }],
    });
    await run.stream.until(({ data }) => data["chunk"] === "begun\n");
    const intruder = randomUUID();
    const visit = (attempt: number, says: readonly RunnerToRun[], by: string = secret) =>
      intrude(bench.platform.url, run.runId, {
        token: signRunToken({ run: run.runId, attempt }, by),
        says,
      });
    const denied: Reception = { admitted: false, answers: [] };
    expect(await intrude(bench.platform.url, run.runId, { token: null, says: [] })).toEqual(denied);
    expect(await visit(1, raid(intruder, 1), "another secret")).toEqual(denied);
    const ofAnother = signRunToken({ run: randomUUID(), attempt: 1 }, secret);
    expect(await intrude(bench.platform.url, run.runId, { token: ofAnother, says: [] })).toEqual(
      denied,
    );
    expect(await visit(1, raid(intruder, 1))).toEqual(refusal("lease_held"));
    expect(await visit(2, raid(intruder, 2))).toEqual(refusal("fenced"));

    const second = await bench.startRunner({ workspaceRoot: first.workspaceRoot });
    await second.joined();
    await first.kill();
    await untilHeldAt("gate", run);
    const [one, two] = run.stream.seen
      .filter((frame) => nameOf(frame) === "running")
      .map(({ data }) => String(data["runnerId"]));
    expect(one).not.toBe(two);
    for (const runnerId of [one ?? "", two ?? "", intruder]) {
      expect(await visit(1, raid(runnerId, 1))).toEqual(refusal("fenced"));
      expect(await visit(1, raid(runnerId, 2))).toEqual(refusal("fenced"));
    }
    expect(await visit(2, raid(intruder, 2))).toEqual(refusal("lease_held"));
    await expectNoFiles(run);

    await letGo("gate", run, second);
    const frames = await expectCompleted(run, [1, 2]);
    expect(JSON.stringify(frames)).not.toContain("intruder was here");
    expect(await readHomeFile(second, run, "trace")).toBe("a\n");
  });
});

const refusal = (code: string): Reception => ({
  admitted: true,
  answers: [{ type: "refused", code }] as Reception["answers"],
});

/** A claim and, without waiting for its answer, all the harm that a writer could do. */
const raid = (runnerId: string, attempt: number): readonly RunnerToRun[] => [
  { type: "claim", runnerId, attempt },
  { type: "heartbeat", id: 1 },
  {
    type: "frame",
    producerSeq: 1,
    events: [{ type: "text.delta", data: { messageId: "m", text: "intruder was here" } }],
    outcome: { kind: "succeeded", output: "intruder was here" },
  },
];

/** The token of an attempt that is over opens none of the run's files either. */
async function expectNoFiles({ runId }: BegunRun): Promise<void> {
  const authorization = `Bearer ${signRunToken({ run: runId, attempt: 1 }, secret)}`;
  const sha256 = "0".repeat(64);
  const status = async (method: string, path: string, body?: string): Promise<number> => {
    const headers = { authorization, "content-type": "application/json" };
    const init = { method, headers, ...(body === undefined ? {} : { body }) };
    const response = await fetch(`${bench.platform.url}${path}`, init);
    await response.body?.cancel();
    return response.status;
  };
  expect(await status("GET", runnerPaths.workspace(runId))).toBe(404);
  expect(await status("GET", runnerPaths.blob(runId, sha256))).toBe(403);
  expect(await status("PUT", runnerPaths.blob(runId, sha256), "x")).toBe(403);
  const upload = JSON.stringify({ kind: "zip", sizeBytes: 1 });
  expect(await status("POST", runnerPaths.uploads(runId), upload)).toBe(403);
}
