import type { Attempt } from "./edge-env.ts";

/** Where a run's blobs lie in R2. A blob is named by its content, so every attempt of the run shares it. */
export function blobKey({ orgId, runId }: Attempt, sha256: string): string {
  return `${orgId}/runs/${runId}/blobs/${sha256}`;
}

interface Run {
  readonly orgId: string;
  readonly runId: string;
}

/** Where the whole data of its large events lies. Apart from the blobs, which hold what no client may read. */
export function eventBlobKey(run: Run, sha256: string): string {
  return eventBlobPrefix(run) + sha256;
}

export function eventBlobPrefix({ orgId, runId }: Run): string {
  return `${orgId}/runs/${runId}/events/`;
}

/** May this attempt upload to this key? It may write its own archives, nobody else's. */
export function isOwnArchive({ orgId, runId, attempt }: Attempt, key: string): boolean {
  const folder = `${orgId}/runs/${runId}/attempt-${attempt}/`;
  return key === `${folder}workspace.zip` || key === `${folder}workspace.bundle`;
}
