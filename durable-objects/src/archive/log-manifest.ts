import { z } from "zod";

/** Where in an object a row begins from which it can be read. */
const Block = z.object({ first: z.int().positive(), offset: z.int().nonnegative() });

const LogPart = z.object({
  /** Of the content, in lower-case hex. It names the object. */
  sha256: z.string(),
  first: z.int().positive(),
  last: z.int().positive(),
  size: z.int().positive(),
  /** In order; the first is the object's start. */
  blocks: z.array(Block),
});
export type LogPart = z.infer<typeof LogPart>;

/** What a log that lies in R2 consists of: packed rows as readers get them (`encodeRow`), in UTF-8. */
export const LogManifest = z.object({
  /** Seq of the last event. */
  tail: z.int().positive(),
  /** When the last event was committed, Unix ms. */
  at: z.int(),
  /** In order and without gaps. Retention takes them away from the front. */
  parts: z.array(LogPart),
  /** The object that holds the snapshot of the run at its end. */
  snapshotSha256: z.string(),
});
export type LogManifest = z.infer<typeof LogManifest>;

/** Seq of the first event that can still be read; `tail + 1` when there is none. */
export function earliestOf({ parts, tail }: LogManifest): number {
  return parts[0]?.first ?? tail + 1;
}

/** Whose log: every key begins with the org, and nothing else lies under this prefix. */
export function logPrefix({ orgId, runId }: { readonly orgId: string; readonly runId: string }) {
  return `${orgId}/runs/${runId}/log/`;
}
