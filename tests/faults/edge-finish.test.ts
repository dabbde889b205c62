import { beforeAll, describe, expect, it } from "vitest";
import { expectOneAttempt, follow, startEdgeBench, type EdgeBench } from "../support/edge-bench.ts";
import { command, mark, readHomeFile } from "../support/fault-bench.ts";
import { Follower } from "../support/follower.ts";
import { promptFor } from "../support/model-server/scenario.ts";
import {
  attemptsIn,
  expectNoAnswerTwice,
  expectRecord,
  interruptedIn,
  requestsOf,
} from "../support/run-record.ts";
import { isTerminalFrame, nameOf, type Frame } from "../support/sse.ts";
import { waitUntil } from "../support/wait-until.ts";

let bench: EdgeBench;

beforeAll(async () => {
  bench = await startEdgeBench();
});

const ask = { toolCalls: [{ name: "ask_user", arguments: { question: "Which one?" } }] };

const waits = (reason: string) => (frame: Frame) =>
  nameOf(frame) === "run.waiting" && frame.data["reason"] === reason;

it("an edge that is killed while a run waits keeps the question, and takes each answer once", async () => {
  const { api, platform, runner } = bench;
  const script = { build: [mark("asked"), ask, mark("told"), { text: "Took it." }] };
  const projectId = await api.createProject();
  const body = { prompt: promptFor(script, "asks"), interactive: true, keepOpen: true };
  const { id: runId } = await api.createRun(projectId, body);
  const run = { projectId, runId };
  const follower = new Follower(api, run);

  await follower.until(waits("question"));
  await platform.restart();
  expect((await api.run(projectId, runId)).waiting).toMatchObject({ question: "Which one?" });
  // Nobody knows whether the first of these arrives.
  const lost = api.sendInput(run, { content: "This." }, "answer").catch(() => null);
  await platform.restart();
  await lost;
  await api.sendInput(run, { content: "This." }, "answer");

  await follower.until(waits("input"));
  await api.sendInput(run, { finish: true }, "finish");
  await platform.restart();
  const again = await api.sendInput(run, { finish: true }, "finish");
  expect(again).toMatchObject({ n: 2, created: false });
  const frames = await expectRecord(api, run, await follower.end);
  expect(frames.at(-1)).toMatchObject({ event: "done", data: { output: "Took it." } });
  const said = frames.filter((frame) => nameOf(frame) === "run.input");
  expect(said.map(({ data }) => data["content"])).toEqual(["This.", null]);
  expect(attemptsIn(frames)).toEqual([1, 2, 3]);
  expect(interruptedIn(frames)).toEqual([]);
  expect(await readHomeFile(runner, run, "trace")).toBe("asked\ntold\n");
  expectNoAnswerTwice(requestsOf(bench.model.log(), "asks"));
});

const megabyte = 1024 * 1024;

describe("an edge that is killed at a run's end", () => {
  it("while state and archive are uploaded: they are stored, and the run ends once", async () => {
    const run = await bench.begin("uploads", {
      build: [command("head -c 20971520 /dev/urandom > noise"), mark("made"), { text: "Done." }],
    });
    const followers = follow(bench, run);
    await followers[0].untilNamed("git_commit");
    // 20 MiB that nothing compresses go up twice: as the project's state, then as the user's archive.
    for (const sentMegabytes of [10, 25]) {
      const until = bench.network.requested + sentMegabytes * megabyte;
      await waitUntil("the upload is under way", () => bench.network.requested > until);
      expect(followers[0].frames.map(nameOf)).not.toContain("workspace_snapshot_stored");
      await bench.platform.restart();
    }
    await expectOneAttempt(bench, run, { followers, trace: "made\n" });
  });

  it("between the last frame and its ack: the run ends once, and the runner is free", async () => {
    const run = await bench.begin("last ack", { build: [mark("made"), { text: "Done." }] });
    const followers = follow(bench, run);
    await followers[0].untilNamed("git_commit");
    bench.network.slow("answers", 700);
    await followers[0].until(isTerminalFrame);
    await bench.platform.kill();
    bench.network.dropConnections();
    bench.network.restore();
    await bench.platform.start();
    await expectOneAttempt(bench, run, { followers, trace: "made\n" });
    const { projectId } = run;
    const next = await bench.begin("next", { build: [mark("again"), { text: "." }] }, projectId);
    await expectOneAttempt(bench, next, { followers: follow(bench, next), trace: "made\nagain\n" });
    // It has understood that its last frame had arrived: to it, too, the run ended well.
    expect(await bench.runner.log()).not.toContain("fenced");
  });
});
