import type { FrameProducer } from "../clients/frame-producer.ts";
import type { StreamRequest } from "../clients/sse-reader.ts";

/** A log that the bench writes to and reads from. */
export interface BenchLog {
  readonly producer: FrameProducer;
  /** Seq of the last event before the bench's first. */
  readonly tail: number;
  /** The SSE stream of everything after `after`. */
  stream(after: number): StreamRequest;
  /** Gives the log back: connections are closed and nothing of it stays at work. */
  close(): Promise<void>;
}

/** A create that streams, and what to look for in its frames. */
export interface BenchCreate {
  readonly stream: StreamRequest;
  /** The first thing that the runner, or what stands in its place, wrote. */
  readonly isFirst: (frame: string) => boolean;
  /** Nothing is at work any more: the next create finds an idle runner. */
  readonly isLast: (frame: string) => boolean;
}

export interface Creator {
  next(): Promise<BenchCreate>;
  close(): Promise<void>;
}

/** One of the two that are compared: ours, by its public doors, and a bare object. */
export interface Side {
  readonly name: SideName;
  openLog(): Promise<BenchLog>;
  openCreator(): Promise<Creator>;
  dispose(): Promise<void>;
}

export const sideNames = ["ours", "bare"] as const;
export type SideName = (typeof sideNames)[number];
