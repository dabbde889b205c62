import { describe, expect, it } from "vitest";
import { isAtRest } from "./at-rest.ts";
import { makeSession, runId } from "./testing/make-facts.ts";

const over = { runId, completionTime: "2026-01-01T00:01:00Z", observedGeneration: 1 };
const report = { key: "k", kind: "ended", reason: "OutOfMemory" } as never;

describe("a session at rest", () => {
  it.each([
    { is: true, why: "its run is over and nothing is left", status: over },
    { is: false, why: "its run goes on", status: { runId, observedGeneration: 1 } },
    { is: false, why: "its Job is still there", status: over, leftovers: 1 },
    { is: false, why: "a report was not confirmed", status: { ...over, reports: [report] } },
    { is: false, why: "its spec is another now", status: over, metadata: { generation: 2 } },
    { is: false, why: "it has no finalizer", status: over, metadata: { finalizers: [] } },
    {
      is: false,
      why: "it is being deleted",
      status: over,
      metadata: { deletionTimestamp: "2026-01-01T00:02:00Z" },
    },
  ])("$is: $why", ({ is, status, metadata = {}, leftovers = 0 }) => {
    expect(isAtRest(makeSession({ status, metadata }), leftovers)).toBe(is);
  });
});
