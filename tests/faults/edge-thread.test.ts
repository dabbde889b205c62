import { v1 } from "@millrace/contracts";
import { beforeAll, describe, expect, it, vi } from "vitest";
import {
  expectOneAttempt,
  follow,
  outputOf,
  startEdgeBench,
  type EdgeBench,
} from "../support/edge-bench.ts";
import { command, mark, type BegunRun } from "../support/fault-bench.ts";
import { readRunIndex } from "../support/read-registry.ts";
import { isTerminalFrame, nameOf, type Frame } from "../support/sse.ts";

let bench: EdgeBench;

beforeAll(async () => {
  bench = await startEdgeBench();
});

/** A run whose place in the project's order its files show. */
const queued = (name: string, projectId: string): Promise<BegunRun> =>
  bench.begin(
    `${name} of ${projectId}`,
    { build: [mark(name), { text: `${name} is done.` }] },
    projectId,
  );

function expectAfter(later: readonly Frame[], earlier: readonly Frame[]): void {
  const began = later.find((frame) => nameOf(frame) === "running")?.ts ?? "";
  const ended = earlier.findLast(isTerminalFrame)?.ts ?? "";
  expect(Date.parse(began)).toBeGreaterThanOrEqual(Date.parse(ended));
}

const read = async (path: string) => (await bench.api.request("GET", path)).body;

/** Thread, runs, registry: in the end everybody tells the same of a project whose runs are all completed. */
async function expectAllAgree(projectId: string, runs: readonly BegunRun[]): Promise<void> {
  const ids = runs.map(({ runId }) => runId);
  await vi.waitFor(async () => {
    const indexed = readRunIndex(bench.platform, projectId);
    expect(indexed).toEqual(ids.map((runId) => ({ runId, status: "succeeded", attempt: 1 })));
    const listed = v1.page(v1.RunSummary).parse(await read(`/v1/projects/${projectId}/runs`));
    const own = await Promise.all(ids.map((runId) => bench.api.run(projectId, runId)));
    expect(listed.data.toReversed()).toEqual(own);
    const project = v1.envelope(v1.Project).parse(await read(`/v1/projects/${projectId}`)).data;
    expect(project.latestRunId).toBe(ids.at(-1));
    const projects = v1.page(v1.Project).parse(await read("/v1/projects?limit=500"));
    expect(projects.data).toContainEqual(project);
  }, 30_000);
}

describe("an edge that is killed between the runs of a project", () => {
  it("at the end of a run, time and again: the next ones are released, and all lists agree", async () => {
    const projects = await Promise.all([1, 2, 3, 4, 5, 6].map(() => bench.api.createProject()));
    const pairs = await Promise.all(
      projects.map(async (id) => [await queued("first", id), await queued("second", id)] as const),
    );
    const followed = pairs.map((pair) => pair.map((run) => follow(bench, run)[0]));
    for (let kills = 0; kills < 5; kills += 1) {
      // Ends are close to one another here: some are told to nobody yet, some to the thread only.
      const open = followed.flat().filter(({ frames }) => !frames.some(isTerminalFrame));
      if (open.length > 0) await Promise.race(open.map((reader) => reader.until(isTerminalFrame)));
      await bench.platform.restart();
    }
    for (const [index, [first, second]] of pairs.entries()) {
      const [one, two] = followed[index] ?? [];
      const followers = two ? [two] : [];
      const ended = await expectOneAttempt(bench, second, { followers, trace: "first\nsecond\n" });
      expectAfter(ended, (await one?.end) ?? []);
      await expectAllAgree(second.projectId, [first, second]);
    }
  });

  it("while the first executes: the others follow in order, one at a time", async () => {
    const projectId = await bench.api.createProject();
    const first = await bench.begin(
      "one",
      { build: [command("for i in 1 2 3 4; do echo step-$i; sleep 0.5; done"), mark("one")] },
      projectId,
    );
    const runs = [first, await queued("two", projectId), await queued("three", projectId)];
    const followers = runs.map((run) => follow(bench, run)[0]);
    const [one] = followers;
    await one?.until(() => outputOf(one).includes("step-1\n"));
    await bench.platform.restart();
    const [ended = [], ...later] = await Promise.all(followers.map(({ end }) => end));
    let before = ended;
    for (const frames of later) {
      expectAfter(frames, before);
      before = frames;
    }
    const last = runs.at(-1) ?? first;
    const reader = followers.slice(-1);
    await expectOneAttempt(bench, last, { followers: reader, trace: "one\ntwo\nthree\n" });
    await expectAllAgree(projectId, runs);
  });
});
