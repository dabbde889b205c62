import { expect } from "vitest";
import { requestsOf, expectRecord } from "./run-record.ts";
import type { BegunRun, FaultBench } from "./fault-bench.ts";
import { isTerminalFrame, nameOf, type Frame } from "./sse.ts";

/** What a client saw of its cancel. */
export interface Cancelled {
  readonly frames: readonly Frame[];
  /** The terminal frame's data. */
  readonly data: Frame["data"];
  readonly visibleMs: number;
  readonly terminalMs: number;
}

/** For the report of a test. */
export const timesOf = ({ visibleMs, terminalMs }: Cancelled): string =>
  `cancel visible after ${visibleMs} ms, terminal after ${terminalMs} ms`;

/** Far above what is promised: two loaded cores must not fail a test that is about order. */
const promptMs = 10_000;

/** Cancels a run and follows it to its end, which must be the only one and the last frame. */
export async function cancelAndFollow(
  bench: FaultBench,
  run: BegunRun,
  withinMs = promptMs,
): Promise<Cancelled> {
  const askedAt = performance.now();
  const since = (): number => Math.round(performance.now() - askedAt);
  const asked = bench.api.cancel(run.projectId, run.runId);
  await run.stream.untilNamed("run.cancelling");
  const visibleMs = since();
  expect(await asked).toMatchObject({ id: run.runId, cancelled: true });
  const last = await run.stream.until(isTerminalFrame);
  const terminalMs = since();
  expect(nameOf(last)).toBe("cancelled");
  expect(terminalMs).toBeLessThan(withinMs);
  const frames = await expectRecord(bench.api, run, await run.stream.toEnd());
  const view = await bench.api.run(run.projectId, run.runId);
  expect(view.status).toBe("cancelled");
  await expectCancelledForEver(bench, run);
  return { frames, data: last.data, visibleMs, terminalMs };
}

export async function expectCancelledForEver(
  { api }: FaultBench,
  { projectId, runId }: Pick<BegunRun, "projectId" | "runId">,
): Promise<void> {
  const again = await api.cancel(projectId, runId);
  expect(again).toMatchObject({ status: "cancelled", cancelled: true });
}

/** Every request to the model began before the run's end, and what was still being said then was hung up on. */
export function expectModelLeftAlone({ model }: FaultBench, { title }: BegunRun, end: Frame): void {
  for (const request of requestsOf(model.log(), title)) {
    expect(request.at).toBeLessThanOrEqual(Date.parse(end.ts));
    expect(request.endedAt).not.toBeNull();
  }
}

/** The answer of `download.zip` right now. */
export async function standingOf(
  { api }: FaultBench,
  { projectId, runId }: Pick<BegunRun, "projectId" | "runId">,
): Promise<{ readonly status: number; readonly code: unknown; readonly retryAfter: number }> {
  const path = `/v1/projects/${projectId}/runs/${runId}/download.zip`;
  const { status, body, headers } = await api.request("GET", path);
  const code = typeof body === "object" && body !== null && "code" in body ? body.code : null;
  return { status, code, retryAfter: Number(headers.get("retry-after")) };
}
