import { expect } from "vitest";
import {
  downloadFiles,
  readHomeFile,
  startFaultBench,
  type BegunRun,
  type FaultBench,
} from "./fault-bench.ts";
import { Follower } from "./follower.ts";
import type { PlatformOptions } from "./platform.ts";
import { attemptsIn, expectNoAnswerTwice, expectRecord, requestsOf } from "./run-record.ts";
import type { Runner } from "./runner-process.ts";
import type { Frame } from "./sse.ts";
import { TcpProxy } from "./tcp-proxy.ts";

/** A bench for faults of the edge: one runner lives through them, behind a network that can fail too. */
export interface EdgeBench extends FaultBench {
  readonly network: TcpProxy;
  readonly runner: Runner;
}

export async function startEdgeBench(options: PlatformOptions = {}): Promise<EdgeBench> {
  const bench = await startFaultBench(options);
  const network = await TcpProxy.start(bench.platform.url);
  const runner = await bench.startRunner({ edgeUrl: network.url });
  return { ...bench, network, runner };
}

/** One reader that was there from the create on, and one that came later. */
export function follow({ api }: FaultBench, run: BegunRun): readonly [Follower, Follower] {
  const { projectId, runId } = run;
  return [new Follower(api, run), new Follower(api, { projectId, runId })];
}

/**
 * A run whose first attempt lasted to its good end, with one record for all who read it. Each line of `trace`
 * (`mark`) was written once, by executions that nobody undid.
 */
export async function expectOneAttempt(
  bench: EdgeBench,
  run: BegunRun,
  { followers, trace }: { readonly followers: readonly Follower[]; readonly trace: string },
): Promise<readonly Frame[]> {
  const ends = await Promise.all(followers.map(({ end }) => end));
  const [frames = []] = await Promise.all(ends.map((end) => expectRecord(bench.api, run, end)));
  expect(attemptsIn(frames)).toEqual([1]);
  expect(await bench.api.run(run.projectId, run.runId)).toMatchObject({
    status: "completed",
    meta: { attempt: 1 },
  });
  expect((await downloadFiles(bench.api, run)).get("trace.txt")).toBe(trace);
  expect(await readHomeFile(bench.runner, run, "trace")).toBe(trace);
  expectNoAnswerTwice(requestsOf(bench.model.log(), run.title));
  return frames;
}

const textOf = (frames: readonly Frame[], event: string, field: string): string =>
  frames
    .filter((frame) => frame.event === event)
    .map(({ data }) => data[field])
    .filter((text) => typeof text === "string")
    .join("");

/** What a reader has of the model's words. */
export const tokensOf = ({ frames }: Follower): string => textOf(frames, "token", "token");

/** What a reader has of the output of commands. */
export const outputOf = ({ frames }: Follower): string => textOf(frames, "tool", "chunk");
