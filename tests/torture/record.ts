/**
 * What torture's clients saw and did, as plain data: all that the checker knows. It shares nothing with the product
 * beyond the contracts.
 */

/** Name of the event that a runner writes who has slept too long. Its value is the attempt for which it speaks. */
export const lateName = "torture.late";

/** A canonical event, as the run's log gives it. */
export interface LoggedEvent {
  readonly seq: number;
  readonly ts: string;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A frame of `/v1`. */
export interface SeenFrame {
  readonly id: number;
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly ts: string;
}

/** One answer to a create. */
export interface CreateAnswer {
  readonly key: string;
  /** Which of the bodies that were sent with the key; 0 is the one that made the run. */
  readonly body: number;
  readonly status: number;
  readonly runId: string | null;
}

export interface ReaderRecord {
  readonly kind: "sse" | "stream";
  /** Over all its connections. Of a stream: its events. */
  readonly ids: readonly number[];
  /** Everything, as JSON lines, to be compared with the log. */
  readonly items: readonly string[];
  /** The server ended the stream by itself. */
  readonly ended: boolean;
  readonly connections: number;
}

export interface CancelAnswer {
  readonly cancelled: boolean;
  /** When the answer had arrived, Unix ms. */
  readonly at: number;
}

/** A line that a command of the run left where it was executed. */
export interface Execution {
  readonly mark: string;
  /** Unix ms. */
  readonly at: number;
}

interface ModelCall {
  /** Unix ms. */
  readonly at: number;
}

export interface RunRecord {
  readonly runId: string;
  readonly projectId: string;
  /** Status of `GET …/runs/:id` at the very end. */
  readonly status: string;
  readonly log: readonly LoggedEvent[];
  /** Null: the run is not over, so its stream has no end. */
  readonly frames: readonly SeenFrame[] | null;
  readonly readers: readonly ReaderRecord[];
  readonly cancels: readonly CancelAnswer[];
  readonly executions: readonly Execution[];
  readonly modelCalls: readonly ModelCall[];
  /** Every message that the model of this run may say, whole. */
  readonly messages: readonly string[];
  /** What a stranger's key got for the run. */
  readonly strangerStatuses: readonly number[];
}

export interface TortureRecord {
  readonly creates: readonly CreateAnswer[];
  readonly runs: readonly RunRecord[];
}

/** A promise that was broken, and how that shows. */
export interface Violation {
  readonly promise: `P${number}`;
  readonly runId: string | null;
  readonly evidence: string;
}
