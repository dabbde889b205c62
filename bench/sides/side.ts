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

/** One of the two that are compared: ours, by its public doors, and a bare object. */
export interface Side {
  readonly name: SideName;
  openLog(): Promise<BenchLog>;
  /** A create that streams. `isFirst` knows the frame that ends the measurement. */
  create(): { readonly stream: StreamRequest; readonly isFirst: (frame: string) => boolean };
  dispose(): Promise<void>;
}

export const sideNames = ["ours", "bare"] as const;
export type SideName = (typeof sideNames)[number];
