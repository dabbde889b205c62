/** Which log: one container of one attempt. */
export interface LiveLogAddress {
  readonly orgId: string;
  readonly pool: string;
  readonly runId: string;
  readonly attempt: number;
  readonly container: string;
}

/**
 * Sockets are opened with `fetch` and an Upgrade header; the edge has authorised the caller and puts the address into the query.
 *
 *     https://log/read?…&after=<id>   reader: rows as `encodeRow` text, reports of what was taken, close 1000 at the end, as a run's readers;
 *                                     lines are `log` with the text as a JSON string, `gap` where lines are missing
 *     https://log/source?…            the operator: LogSourceMessage of session-protocol.ts
 *
 * A reader that cannot be served gets plain JSON `{code, message}`: 409 `unavailable` (the container has not started, the
 * operator is away), 429 `readers_per_log`.
 */
export const liveLogPaths = { read: "/read", source: "/source" } as const;

export function liveLogUrl(path: string, address: LiveLogAddress, after?: number): string {
  const url = new URL(path, "https://log");
  for (const [name, value] of Object.entries({ ...address, after })) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url.href;
}
