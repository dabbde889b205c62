import type { ArchiveRecord, Cost, WorkspaceState } from "@millrace/contracts";
import { describe, expect, it } from "vitest";
import { decideReport } from "./decide-report.ts";
import { viewOfNewRun } from "./state.ts";
import type { StoredView } from "./state.ts";

const queued = viewOfNewRun(1);
const running: StoredView = { ...queued, version: 5, status: "running", updatedAt: 5 };
const succeeded: StoredView = {
  ...queued,
  version: 9,
  status: "succeeded",
  output: "all done",
  updatedAt: 9,
};
const cancelled: StoredView = { ...queued, version: 7, status: "cancelled", updatedAt: 7 };
const cost: Cost = { currency: "USD", estimatedUsd: 0.1, pricingVersion: "v" };
const archive: ArchiveRecord = { key: "k", sizeBytes: 1, fileCount: 1 };
const workspace: WorkspaceState = {
  runId: "r",
  runIndex: 1,
  tree: "a".repeat(40),
  bundleKey: "b",
};
const newer: WorkspaceState = { ...workspace, bundleKey: "c" };

const decide = (known: StoredView, reported: StoredView) =>
  decideReport({ view: known, workspace: null }, { view: reported, workspace: null });

describe("decideReport", () => {
  it.for([
    ["the first report", queued, running, running],
    ["a later one", running, succeeded, succeeded],
    ["an older one", succeeded, running, succeeded],
    ["one that is known", succeeded, succeeded, succeeded],
    ["an open one never follows the end", cancelled, { ...running, version: 99 }, cancelled],
    ["an archive after the end", cancelled, { ...cancelled, archive }, { ...cancelled, archive }],
    ["a price after the end", succeeded, { ...succeeded, cost }, { ...succeeded, cost }],
    ["a price does not go away", { ...succeeded, cost }, succeeded, { ...succeeded, cost }],
    [
      "neither does an archive",
      { ...cancelled, archive },
      { ...cancelled, updatedAt: 8 },
      { ...cancelled, archive, updatedAt: 8 },
    ],
    [
      "a change without an event",
      queued,
      { ...queued, status: "dispatched", updatedAt: 2 },
      { ...queued, status: "dispatched", updatedAt: 2 },
    ],
  ] as const)("%s", ([, known, reported, view]) => {
    expect(decide(known, reported).view).toEqual(view);
  });

  it("says once that the run has ended", () => {
    expect(decide(running, succeeded).ended).toBe(true);
    expect(decide(succeeded, succeeded).ended).toBe(false);
    expect(decide(queued, running).ended).toBe(false);
  });

  it.for([
    ["success with an output", succeeded, "all done"],
    ["success without one", { ...succeeded, output: null }, null],
    ["success with nothing but space", { ...succeeded, output: " \n" }, null],
    ["failure with an output", { ...succeeded, status: "failed" }, null],
    ["cancel", { ...cancelled, output: "half" }, null],
    ["still running", { ...running, output: "half" }, null],
  ] as const)("%s has the answer %o", ([, view, answer]) => {
    expect(decide(queued, view).answer).toBe(answer);
  });

  it.for([
    ["none yet", null, cancelled, workspace, workspace],
    ["none reported", workspace, succeeded, null, workspace],
    ["a newer one", workspace, cancelled, newer, newer],
    ["one from an older report", newer, queued, workspace, newer],
  ] as const)("workspace: %s", ([, known, view, reported, expected]) => {
    const decision = decideReport(
      { view: cancelled, workspace: known },
      { view, workspace: reported },
    );
    expect(decision.workspace).toEqual(expected);
  });
});
