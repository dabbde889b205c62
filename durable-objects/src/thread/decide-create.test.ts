import { describe, expect, it } from "vitest";
import { decideCreate } from "./decide-create.ts";
import type { CreateDecision, CreateSituation } from "./decide-create.ts";

describe("decideCreate", () => {
  it.for<[string, CreateSituation, CreateDecision]>([
    [
      "the first run of a thread",
      { sameKey: null, latest: null, full: null },
      { kind: "create", runIndex: 1, parentRunId: null },
    ],
    [
      "a later run supersedes the latest",
      { sameKey: null, latest: { runId: "r4", runIndex: 4 }, full: null },
      { kind: "create", runIndex: 5, parentRunId: "r4" },
    ],
    [
      "the same request again",
      { sameKey: { fingerprint: "f" }, latest: { runId: "r4", runIndex: 4 }, full: null },
      { kind: "known" },
    ],
    [
      "another request under the same key",
      { sameKey: { fingerprint: "g" }, latest: { runId: "r4", runIndex: 4 }, full: null },
      { kind: "mismatch" },
    ],
    [
      "too many are open",
      { sameKey: null, latest: { runId: "r4", runIndex: 4 }, full: "open_runs_per_org" },
      { kind: "full", limit: "open_runs_per_org" },
    ],
    [
      "too many are open, and this one is known",
      { sameKey: { fingerprint: "f" }, latest: null, full: "open_runs_per_project" },
      { kind: "known" },
    ],
  ])("%s", ([, situation, decision]) => {
    expect(decideCreate(situation, "f")).toEqual(decision);
  });
});
