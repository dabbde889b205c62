import type { OpenedReader } from "../../reader-place.ts";
import type { Batch } from "./render.ts";

/** What a read finds. */
export interface LogPage {
  /** Another one for every log that ever had this name. */
  readonly id: string;
  readonly contentType: string;
  /** No message follows `tail`. */
  readonly closed: boolean;
  readonly tail: number;
  /** Whole packed rows; the first may begin before what was asked for. */
  readonly rows: string;
}

/** `gone`: deleted, and its name kept for its forks. */
type Missing = "not_found" | "gone";

/** A log that is read as a Durable Stream: a general stream, or a run's events. */
export interface LogSource {
  /** What follows a message, up to about `chars`; or the answer that refuses. */
  readonly page: (after: number, chars: number) => Promise<LogPage | Missing | Response>;
  /** A reader's socket with marks, not accepted yet; null when the log has gone. */
  readonly open: (after: number) => Promise<OpenedReader>;
  /** Takes what follows a message out of packed rows. */
  readonly batchOf: (rows: string, after: number) => Batch;
}
