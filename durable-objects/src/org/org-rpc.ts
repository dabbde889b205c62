import type { Draw } from "./decide-draw.ts";

/** How long an isolate may spend from a handful. */
export const handfulMs = 10_000;

/** What the edge may ask of an org: whether there is room for more. */
export interface OrgRpc {
  /** Requests for an isolate that serves this key: a handful, or just one. */
  draw(keyId: string, handful: boolean): Promise<Draw>;
  /** Places for runs that are about to be created: a handful, or just one. Each place that is given counts as a run. */
  drawRuns(handful: boolean): Promise<Draw>;
}

/**
 * A reader's place is a socket that the edge keeps open as long as it serves the reader: opened by `fetch` with an
 * Upgrade header on this path, refused with 429. Nothing is said over it. It counts until either end is gone.
 */
export const orgSocketPaths = { reader: "/reader" } as const;

export type { Draw };
