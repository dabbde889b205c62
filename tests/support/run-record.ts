import { expect } from "vitest";
import type { Api } from "./api.ts";
import type { RequestRecord } from "./model-server/request-log.ts";
import { isTerminalFrame, nameOf, type Frame } from "./sse.ts";

/** What every finished run's stream must be: dense, and with one terminal frame, which is the last. */
export function expectWhole(frames: readonly Frame[]): void {
  expect(frames.map(({ id }) => id)).toEqual(frames.map((_, index) => index + 1));
  expect(frames.filter(isTerminalFrame)).toEqual(frames.slice(-1));
}

/** Each call starts once and then ends once, as `end` or `error`, under the same id and name. */
export function expectPairedTools(frames: readonly Frame[]): void {
  const started = callsIn(frames, "start");
  expect(new Set(started).size).toBe(started.length);
  const ended = [...callsIn(frames, "end"), ...callsIn(frames, "error")];
  expect(ended.toSorted()).toEqual(started.toSorted());
}

/** Nothing that an attempt opened is still open when the next one starts. */
function expectClosedAttempts(frames: readonly Frame[]): void {
  const open = new Set<string>();
  for (const frame of frames) {
    if (nameOf(frame) === "running") expect([...open]).toEqual([]);
    if (frame.event !== "tool") continue;
    const callId = String(frame.data["callId"]);
    if (frame.data["phase"] === "start") open.add(callId);
    if (frame.data["phase"] === "end" || frame.data["phase"] === "error") open.delete(callId);
  }
  expect([...open]).toEqual([]);
}

/**
 * Reads a finished run's record again and holds it against what its live reader saw. Answers the frames, so that a
 * test goes on with what is particular to it.
 */
export async function expectRecord(
  api: Api,
  run: { readonly projectId: string; readonly runId: string },
  live: readonly Frame[],
): Promise<readonly Frame[]> {
  const frames = await (await api.stream(run.projectId, run.runId)).toEnd();
  expectWhole(frames);
  expectPairedTools(frames);
  expectClosedAttempts(frames);
  expect(live).toEqual(frames);
  return frames;
}

/** Attempt numbers in the order in which they started. */
export const attemptsIn = (frames: readonly Frame[]): readonly unknown[] =>
  frames.filter((frame) => nameOf(frame) === "running").map(({ data }) => data["attempt"]);

/** Ids of the calls that were closed because their attempt was. */
export const interruptedIn = (frames: readonly Frame[]): readonly unknown[] =>
  frames
    .filter(({ event, data }) => event === "tool" && data["code"] === "interrupted")
    .map(({ data }) => data["callId"]);

/** The model's requests of the run whose prompt has this title. */
export const requestsOf = (
  log: readonly RequestRecord[],
  title: string,
): readonly RequestRecord[] =>
  log.filter(({ prompt }) => prompt === title || prompt.startsWith(`${title}\n`));

/** An answer that was read to its end became a step, so nobody asks for it again. */
export function expectNoAnswerTwice(requests: readonly RequestRecord[]): void {
  const read = requests.filter(({ completed }) => completed).map(({ key }) => key);
  expect(new Set(read).size).toBe(read.length);
}

function callsIn(frames: readonly Frame[], phase: string): readonly string[] {
  return frames
    .filter(({ event, data }) => event === "tool" && data["phase"] === phase)
    .map(({ data }) => JSON.stringify([data["callId"], data["tool"]]));
}
