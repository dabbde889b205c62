import type { Cost } from "@millrace/contracts";
import { isOver, TerminalStatus } from "@millrace/contracts";
import * as fc from "fast-check";
import { describe, expect } from "vitest";
import { property } from "../testing/property.ts";
import { decideReport, type ReportedRun } from "./decide-report.ts";
import { viewOfNewRun, type StoredView } from "./state.ts";

const newRun: ReportedRun = { view: viewOfNewRun(1), workspace: null };
const cost: Cost = { currency: "USD", estimatedUsd: 0.1, pricingVersion: "v" };
const archive = { key: "k", sizeBytes: 1, fileCount: 1 };
const workspace = { runId: "r", runIndex: 1, tree: "a".repeat(40), bundleKey: "b" };

interface Life {
  readonly open: number;
  readonly outcome: TerminalStatus;
  readonly hasArchive: boolean;
  readonly hasCost: boolean;
  /** The archive was stored a second time, with other files. */
  readonly isReplaced: boolean;
}

const lives: fc.Arbitrary<Life> = fc.record({
  open: fc.integer({ min: 0, max: 3 }),
  outcome: fc.constantFrom(...TerminalStatus.options),
  hasArchive: fc.boolean(),
  hasCost: fc.boolean(),
  isReplaced: fc.boolean(),
});

/** The reports of one run, as its object makes them: each version larger, the price last and under any version. */
function reportsOf({
  open,
  outcome,
  hasArchive,
  hasCost,
  isReplaced,
}: Life): readonly ReportedRun[] {
  const reports: ReportedRun[] = [];
  for (let version = 1; version <= open; version += 1) {
    reports.push({ view: viewAt(version, "running"), workspace: null });
  }
  const ended = viewAt(open + 1, outcome);
  reports.push({ view: ended, workspace: null });
  const stored = { ...ended, version: open + 2, archive };
  if (hasArchive) reports.push({ view: stored, workspace });
  if (hasArchive && isReplaced) {
    const newer = { ...workspace, bundleKey: "c" };
    reports.push({ view: { ...stored, version: open + 3 }, workspace: newer });
  }
  const last = reports.at(-1) ?? newRun;
  if (hasCost) reports.push({ ...last, view: { ...last.view, cost } });
  return reports;
}

function viewAt(version: number, status: StoredView["status"]): StoredView {
  const output = status === "succeeded" ? "done" : "half";
  return { ...viewOfNewRun(1), version, status, output, updatedAt: 10 * version };
}

/** What arrives: everything, in any order, some of it more than once. */
const deliveries = lives.chain((life) => {
  const reports = reportsOf(life);
  const again = fc.subarray([...reports]);
  return fc.record({
    reports: fc.constant(reports),
    arriving: again
      .map((more) => [...reports, ...more])
      .chain((all) => fc.shuffledSubarray(all, { minLength: all.length })),
  });
});

describe("reports of a run, however late, doubled and mixed", () => {
  property("come to what the run said last", deliveries, ({ reports, arriving }) => {
    let known = newRun;
    for (const report of arriving) {
      const { view, workspace: files } = decideReport(known, report);
      known = { view, workspace: files };
    }
    expect(known).toEqual(reports.at(-1));
  });

  property("say once that it ended, and never that it goes on", deliveries, ({ arriving }) => {
    let known = newRun;
    let ends = 0;
    for (const report of arriving) {
      const wasOver = isOver(known.view.status);
      const decision = decideReport(known, report);
      if (decision.ended) ends += 1;
      // Not even by a report that claims to be newer.
      const stray = decideReport(decision, { view: viewAt(99, "running"), workspace: null });
      if (isOver(decision.view.status)) expect(stray.view.status).toBe(decision.view.status);
      expect(wasOver && !isOver(decision.view.status)).toBe(false);
      known = decision;
    }
    expect(ends).toBe(1);
  });

  property("bring the answer of a success, and of nothing else", deliveries, ({ arriving }) => {
    let known = newRun;
    for (const report of arriving) {
      known = decideReport(known, report);
      const { answer } = decideReport(known, report);
      expect(answer).toBe(known.view.status === "succeeded" ? "done" : null);
    }
  });
});
