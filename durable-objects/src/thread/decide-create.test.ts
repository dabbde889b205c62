import { describe, expect, it } from "vitest";
import { decideCreate } from "./decide-create.ts";
import type { CreateDecision, CreateSituation } from "./decide-create.ts";

describe("decideCreate", () => {
  it.for<[string, CreateSituation, CreateDecision]>([
    [
      "the first run of a thread",
      { sameKey: null, latest: null },
      { kind: "create", runIndex: 1, parentRunId: null },
    ],
    [
      "a later run supersedes the latest",
      { sameKey: null, latest: { runId: "r4", runIndex: 4 } },
      { kind: "create", runIndex: 5, parentRunId: "r4" },
    ],
    [
      "the same request again",
      { sameKey: { fingerprint: "f" }, latest: { runId: "r4", runIndex: 4 } },
      { kind: "known" },
    ],
    [
      "another request under the same key",
      { sameKey: { fingerprint: "g" }, latest: { runId: "r4", runIndex: 4 } },
      { kind: "mismatch" },
    ],
  ])("%s", ([, situation, decision]) => {
    expect(decideCreate(situation, "f")).toEqual(decision);
  });
});
