import { v1 } from "@millrace/contracts";

/** One record of an event stream as it came over the wire. */
interface SseRecord {
  readonly id: string | null;
  readonly event: string | null;
  readonly data: string | null;
  readonly comments: readonly string[];
}

/** Cuts a body into records. A record that the end of the body cut short is dropped, as a browser does. */
async function* readRecords(body: AsyncIterable<Uint8Array>): AsyncGenerator<SseRecord> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of body) {
    rest += decoder.decode(bytes, { stream: true });
    const records = rest.split("\n\n");
    rest = records.pop() ?? "";
    yield* records.map(parseRecord);
  }
}

function parseRecord(text: string): SseRecord {
  const lines = text.split("\n");
  const field = (name: string): string | null => {
    const values = lines.filter((line) => line.startsWith(`${name}:`));
    if (values.length === 0) return null;
    return values.map((line) => line.slice(name.length + 1).replace(/^ /, "")).join("\n");
  };
  const comments = lines.filter((line) => line.startsWith(":")).map((line) => line.slice(1).trim());
  return { id: field("id"), event: field("event"), data: field("data"), comments };
}

/** What a `/v1` client sees of a frame; `status` and the like are read from its payload. */
export interface Frame {
  readonly id: number;
  readonly event: v1.V1FrameType;
  readonly data: Readonly<Record<string, unknown>>;
  readonly ts: string;
}

/** Checks that record and payload agree, which every `/v1` frame must. */
function toFrame(record: SseRecord): Frame {
  const frame = v1.V1Frame.parse(JSON.parse(record.data ?? "null"));
  if (record.id !== String(frame.id) || record.event !== frame.event)
    throw new Error(`record ${record.id} ${record.event} holds frame ${frame.id} ${frame.event}`);
  if (typeof frame.data !== "object" || frame.data === null || Array.isArray(frame.data))
    throw new Error(`frame ${frame.id} holds no object`);
  return { ...frame, data: frame.data };
}

export const isTerminalFrame = (frame: Frame): boolean =>
  frame.event === "done" ||
  frame.event === "error" ||
  (frame.event === "status" && frame.data["status"] === "cancelled");

/** Names by which tests tell frames apart: the status of a status frame, else its event. */
export function nameOf(frame: Frame): string {
  return frame.event === "status" ? String(frame.data["status"]) : frame.event;
}

/**
 * A run's stream as a client follows it. Iterate it, or use one of the collecting methods; each frame is
 * seen once, so they may follow one another.
 */
export class FrameStream {
  readonly response: Response;
  /** Frames seen so far. */
  readonly seen: Frame[] = [];
  /** Heartbeats seen so far. */
  comments = 0;
  readonly #frames: AsyncGenerator<Frame>;
  readonly #abort: AbortController;

  constructor(response: Response, abort: AbortController) {
    this.response = response;
    this.#abort = abort;
    this.#frames = this.#read();
  }

  /** The next frame; null when the server has ended the stream. */
  async next(): Promise<Frame | null> {
    const { value, done } = await this.#frames.next();
    return done ? null : value;
  }

  /** Reads on until the server ends the stream; answers all frames, those seen before included. */
  async toEnd(): Promise<readonly Frame[]> {
    while (await this.next());
    return this.seen;
  }

  /** Reads on to the first frame that fits and answers it; throws when the stream ends without one. */
  async until(fits: (frame: Frame) => boolean): Promise<Frame> {
    for (let frame = await this.next(); frame; frame = await this.next())
      if (fits(frame)) return frame;
    throw new Error(`the stream ended first: ${this.seen.map(nameOf).join(" ")}`);
  }

  /** Reads on to a frame of this name (`nameOf`). */
  untilNamed(name: string): Promise<Frame> {
    return this.until((frame) => nameOf(frame) === name);
  }

  /** Leaves, as a client that closes its tab. */
  leave(): void {
    this.#abort.abort();
  }

  async *#read(): AsyncGenerator<Frame> {
    if (!this.response.body) return;
    for await (const record of readRecords(this.response.body)) {
      this.comments += record.comments.length;
      if (record.data === null) continue;
      const frame = toFrame(record);
      this.seen.push(frame);
      yield frame;
    }
  }
}
