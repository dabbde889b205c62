import type { RunView } from "@millrace/contracts";
import { expect, it } from "vitest";
import { archiveStanding } from "./archive-standing.ts";

const now = 10_000_000;
const open = { archive: null, status: "running", archiveUntil: null } as const;
const archive = { key: "k", sizeBytes: 1, fileCount: 1 };

type Facts = Pick<RunView, "archive" | "status" | "archiveUntil">;

it.each<readonly [Facts, string]>([
  [{ ...open, status: "queued" }, "pending"],
  [open, "pending"],
  [{ ...open, status: "cancelling" }, "pending"],
  [{ ...open, status: "succeeded", archive }, "stored"],
  [{ ...open, status: "cancelled", archive }, "stored"],
  [{ ...open, status: "succeeded" }, "never"],
  [{ ...open, status: "failed" }, "never"],
  [{ ...open, status: "cancelled", archiveUntil: now + 1 }, "pending"],
  [{ ...open, status: "cancelled", archiveUntil: now - 1 }, "never"],
  // Nobody had it, or whoever had it was cut off.
  [{ ...open, status: "cancelled" }, "never"],
])("%o is %s", (facts, kind) => {
  expect(archiveStanding(facts, now).kind).toBe(kind);
});
