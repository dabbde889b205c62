import type { StreamRequest } from "../../clients/sse-reader.ts";
import type { Contender } from "../contender.ts";

/** `answer`: one step that is over at once. `emit`: one that writes 1,000 events, fifty at a time. */
export type Work = "answer" | "emit";

/** Events that `emit` writes. */
export const emittedEvents = 1_000;

/** A run that can be started: requests and what to look for in their answers. */
export interface PreparedRun {
  /** Creates the run and follows it. */
  readonly stream: StreamRequest;
  /** The first event that the execution itself wrote. */
  readonly isFirst: (event: string) => boolean;
  /** The last event of the work; false for ever where only the end of the stream tells. */
  readonly isLast: (event: string) => boolean;
  /** Creates the run and answers when it is over; null: only `stream` does that, with its last event. */
  readonly wait: StreamRequest | null;
}

/** One client with a place of its own: a project of ours, a thread of LangGraph's. Its runs follow one another. */
export interface RunClient {
  next(work: Work): PreparedRun;
}

/** A server that executes runs. */
export interface RunService extends Contender {
  openClient(): Promise<RunClient>;
}
