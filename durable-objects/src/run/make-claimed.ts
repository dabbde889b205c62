import type { Claimed, Step } from "@millrace/contracts";
import type { RunRecord } from "./run-record.ts";
import type { RunStore } from "./store.ts";
import type { Timings } from "./timings.ts";

const stepsPageChars = 512 * 1024;

/** The answer to a claim, from the run as it is now. */
export function makeClaimed(
  record: RunRecord,
  store: RunStore,
  timings: Timings,
  token: string,
): Claimed {
  const { state, tail, position } = record.memory;
  const release = record.release();
  const now = Date.now();
  return {
    type: "claimed",
    attempt: state.attempt,
    leaseMs: timings.leaseMs,
    heartbeatMs: timings.heartbeatMs,
    tail: tail.seq,
    producerSeq: position.next - 1,
    spec: record.spec,
    failures: state.failures,
    elapsedMs: Math.max(0, now - (state.startedAt ?? now) - state.waitedMs),
    conversation: [...(release?.conversation ?? [])],
    workspace: release?.workspace ?? null,
    stepCount: store.stepCount(),
    interruptedCalls: state.interruptedCalls,
    ...(state.inputs > state.heard && { inputs: store.inputsAfter(state.heard) }),
    cancel: state.stage.kind === "cancelling",
    stop: state.stage.kind === "stopping",
    token,
  };
}

/** Steps in messages of at most 512 KB, so that no transcript is too long for a socket. */
export function* pageSteps(steps: Iterable<Step>): Generator<Step[]> {
  let page: Step[] = [];
  let chars = 0;
  for (const step of steps) {
    if (page.length > 0 && chars + step.body.length > stepsPageChars) {
      yield page;
      page = [];
      chars = 0;
    }
    page.push(step);
    chars += step.body.length;
  }
  if (page.length > 0) yield page;
}
