import type {
  ArchiveRecord,
  RunSpec,
  RunView,
  SessionRun,
  UploadComplete,
  UploadKind,
  WebhookEvent,
  WorkspaceState,
} from "@millrace/contracts";
import type { LogManifest } from "../archive/log-manifest.ts";
import type { SessionNews } from "./decide-session-report.ts";
import type { Release } from "./release.ts";
import type { InputAnswer, InputAsk } from "./take-input.ts";

/** A refusal that a caller is expected to handle; errors thrown across RPC lose their class. */
export interface Refusal<Code extends string> {
  readonly ok: false;
  readonly code: Code;
}

export type UploadGrant =
  | { readonly ok: true; readonly key: string }
  | Refusal<"not_found" | "fenced" | "run_over">;

/** What other objects and the edge may ask of a run. Each call is idempotent. */
export interface RunRpc {
  /**
   * Writes the spec and `run.queued`. The release comes when the predecessors are over, with the spec or in a
   * later call: it allocates attempt 1 and dispatches it. Again, or on a run that is over: nothing.
   */
  init(spec: RunSpec, release?: Release): Promise<void>;
  /** A queue message or the pool asks for this attempt to be offered; ignored unless it is still unclaimed. */
  redispatch(attempt: number): Promise<void>;
  /** Commits `run.cancelling` (or the terminal event when nobody runs it) and answers the view after it. */
  cancel(by: string): Promise<{ readonly ok: true; readonly view: RunView } | Refusal<"not_found">>;
  /** Asks the run to pause: its runner hands it back, and it waits for `resume`. */
  stop(): Promise<boolean>;
  /** Queues a paused run again. */
  resume(by: string): Promise<boolean>;
  /** An answer or message of the run's user; it is written before this answers, and a run that waits for it goes on. */
  input(ask: InputAsk): Promise<InputAnswer | Refusal<"not_found">>;
  /** What an operator of the run's pool saw of a session. Again, or about an attempt that is over: nothing. */
  sessionReport(pool: string, report: SessionNews): Promise<void>;
  /** The run as operators of this pool may see it; null: it is not theirs. */
  sessionRun(pool: string): Promise<SessionRun | null>;
  /** A fresh token for an attempt that may still execute. */
  renewToken(attempt: number): Promise<string | null>;
  /** No token of the run opens anything any more. False: the run is not over. */
  revokeTokens(): Promise<boolean>;
  /** The run as it is now, as its report would say it; prices it when it is over and its cost is still open. */
  view(): Promise<({ readonly ok: true } & RunReport) | Refusal<"not_found">>;
  /** Packed rows of the log after an event, up to about `chars`, for readers that ask instead of following. */
  readLog(after: number, chars: number): Promise<RunLogPage | Refusal<"not_found" | "archived">>;
  /** Where the log lies that has left the object; null: the object holds it, or knows no such run. */
  archivedLog(): Promise<RunLogEntry | null>;
  /** An upload of this attempt is about to begin: where it may go. Allowed until ten minutes after the end. */
  grantUpload(attempt: number, kind: UploadKind): Promise<UploadGrant>;
  /** Remembers an open multipart upload, so that it is aborted when nobody completes it. */
  uploadOpened(attempt: number, key: string, uploadId: string): Promise<void>;
  /** The object in R2 is complete: records it as the run's archive or workspace state. */
  uploadStored(
    attempt: number,
    uploadId: string,
    stored: UploadComplete,
  ): Promise<{ readonly ok: true } | Refusal<"not_found" | "fenced" | "run_over">>;
  /** Deliveries of this event are pending again: the run sees to it that they are tried until they are settled. */
  redeliver(seq: number, type: WebhookEvent): Promise<void>;
  /** The upload was aborted by its runner. */
  uploadAborted(uploadId: string): Promise<void>;
  /** May this attempt still read and write the run's blobs and workspace? */
  mayUse(attempt: number): Promise<boolean>;
  /** R2 key of the bundle that the run starts from, if any. */
  startBundle(attempt: number): Promise<string | null>;
}

/** A log in R2, as the registry and the object know it. */
export interface RunLogEntry {
  readonly projectId: string;
  readonly manifest: LogManifest;
}

export interface RunLogPage {
  readonly ok: true;
  readonly projectId: string;
  /** No event follows `tail`. */
  readonly over: boolean;
  readonly tail: number;
  /** Whole rows; the first may begin before what was asked for. */
  readonly rows: string;
}

/** What a run tells its thread, at least once, whenever its view changes; a larger version wins. */
export interface RunReport {
  readonly view: RunView;
  /** Set once the run's end state was stored. May follow the terminal view of a cancelled run. */
  readonly workspace: WorkspaceState | null;
}

/**
 * Sockets are opened with `fetch` and an Upgrade header on these paths; the edge has authorised the
 * caller and passes what it knows in the query. The object checks again.
 *
 *     https://run/read?projectId=&after=<seq>     reader: rows as `encodeRow` text, see reader messages;
 *                                                 with &marks=1 also a mark whenever it has everything
 *     https://run/attach?org=&run=&attempt=         runner: runner-protocol.ts; what its token says
 *
 * A refused reader gets plain JSON `{code}` with 404 (no such run here), 410 (the log lies in R2: `archivedLog`) or 429 (too many readers). Reader messages: the object
 * sends text of whole packed rows; after the row that holds the terminal event, or at once when the
 * cursor is at or past the end of a finished run, it closes with code 1000; with 1012 when the log moves to R2 meanwhile. The edge sends the number of
 * bytes (UTF-16 units of text) that its client has taken since the last report, as decimal text.
 */
export const runSocketPaths = { read: "/read", attach: "/attach" } as const;

export type { ArchiveRecord, Release };
