import { limits, type RunView } from "@millrace/contracts";
import { expect, it } from "vitest";
import { archiveStanding } from "./archive-standing.ts";

const now = 10_000_000;
const open = { archive: null, status: "running", hadWorkspace: true, completedAt: null } as const;
const over = { ...open, completedAt: now - 1000 };
const archive = { key: "k", sizeBytes: 1, fileCount: 1 };

type Facts = Pick<RunView, "archive" | "status" | "hadWorkspace" | "completedAt">;

it.each<readonly [Facts, string]>([
  [{ ...open, status: "queued", hadWorkspace: false }, "pending"],
  [open, "pending"],
  [{ ...open, status: "cancelling" }, "pending"],
  [{ ...over, status: "succeeded", archive }, "stored"],
  [{ ...over, status: "cancelled", archive }, "stored"],
  [{ ...over, status: "succeeded" }, "never"],
  [{ ...over, status: "failed" }, "never"],
  [{ ...over, status: "cancelled" }, "pending"],
  [{ ...over, status: "cancelled", hadWorkspace: false }, "never"],
  [{ ...over, status: "cancelled", completedAt: now - limits.lateArchiveMs - 1 }, "never"],
])("%o is %s", (facts, kind) => {
  expect(archiveStanding(facts, now).kind).toBe(kind);
});
