import { describe, expect, it } from "vitest";
import { stages, stateIn, t0 } from "../testing/run-state.ts";
import { decideUpload, recordUpload, uploadKey } from "./decide-upload.ts";

describe("decideUpload", () => {
  it.for([
    ["dispatched", 1, 0, "fenced"],
    ["running", 1, 0, "allowed"],
    ["running", 2, 0, "fenced"],
    ["cancelling", 1, 0, "allowed"],
    ["queued", 1, 0, "fenced"],
    ["over", 1, 1000, "allowed"],
    ["over", 1, 1001, "run_over"],
    ["over", 2, 0, "fenced"],
  ] as const)("in a %s run, attempt %i after %i ms: %s", ([stage, attempt, ms, expected]) => {
    expect(decideUpload(stateIn(stages[stage]), attempt, t0 + ms)).toBe(expected);
  });

  it("is over for an attempt that was fenced", () => {
    const stage = { kind: "over", outcome: "failed", uploadsUntil: null } as const;
    expect(decideUpload(stateIn(stage), 1, t0)).toBe("run_over");
  });
});

describe("recordUpload", () => {
  const run = { orgId: "o", runId: "r", runIndex: 4 };
  const state = stateIn(stages.running, { attempt: 2 });

  it("knows archive and workspace state, once", () => {
    const zipKey = uploadKey(run, 2, "zip");
    const zip = { kind: "zip", key: zipKey, sizeBytes: 5, fileCount: 1, parts: [] } as const;
    const stored = recordUpload(state, run, { ...zip, parts: [] }, t0);
    expect(stored).toMatchObject({
      silentChanges: 1,
      archive: { key: "o/runs/r/attempt-2/workspace.zip", sizeBytes: 5 },
    });
    expect(recordUpload(stored, run, { ...zip, parts: [] }, t0 + 1)).toBe(stored);
    const key = uploadKey(run, 2, "bundle");
    const bundle = { kind: "bundle", key, sizeBytes: 9, tree: "a".repeat(40), parts: [] } as const;
    const both = recordUpload(stored, run, { ...bundle, parts: [] }, t0);
    expect(both.workspace).toEqual({ runId: "r", runIndex: 4, tree: bundle.tree, bundleKey: key });
    expect(both.artifacts.map(({ kind }) => kind)).toEqual(["zip", "bundle"]);
    const smaller = recordUpload(both, run, { ...zip, sizeBytes: 3, parts: [] }, t0);
    expect(smaller.artifacts).toHaveLength(2);
    expect(smaller.archive?.sizeBytes).toBe(3);
  });
});
