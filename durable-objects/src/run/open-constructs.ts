import {
  encodeRow,
  forEachEvent,
  jsonOf,
  type EncodedEvent,
  type EventData,
  type NewEvent,
  type PackedRow,
} from "@millrace/contracts";

/** What an attempt leaves behind when it ends. */
export interface Interrupted {
  /** Events that close its open tool calls and messages, oldest first. */
  readonly closers: readonly NewEvent[];
  readonly callIds: readonly string[];
  /** What it wrote since its last checkpoint: the next attempt does that part again. */
  readonly superseded: { readonly from: number; readonly to: number } | null;
}

export interface AttemptLog {
  /** Seq of its run.started. */
  readonly first: number;
  /** Seq of the last event that a checkpoint step covers; 0 for none. */
  readonly checkpointSeq: number;
  readonly tail: number;
  /** Rows from the one that holds `first` to the tail. */
  readonly rows: Iterable<PackedRow>;
  readonly now: number;
}

export const nothingInterrupted: Interrupted = { closers: [], callIds: [], superseded: null };

type Open =
  | { readonly kind: "tool"; readonly at: number; readonly data: EventData["tool.started"] }
  | { readonly kind: "text" | "reasoning" };

/** Reads an attempt's part of the log; done once, when it ends, so that appends need not keep track. */
export function findInterrupted(log: AttemptLog): Interrupted {
  const open = new Map<string, Open>();
  for (const row of log.rows) {
    forEachEvent(encodeRow(row), log.first - 1, (event) => note(open, event));
  }
  const closers = [...open].map(([id, construct]) => close(id, construct, log.now));
  const from = Math.max(log.first, log.checkpointSeq) + 1;
  const to = log.tail + closers.length;
  return {
    closers,
    callIds: [...open].filter(([, { kind }]) => kind === "tool").map(([id]) => id),
    superseded: from <= to ? { from, to } : null,
  };
}

function note(open: Map<string, Open>, event: EncodedEvent): void {
  const { type, at } = event;
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- every other type neither opens nor closes
  switch (type) {
    case "tool.started": {
      const data = JSON.parse(jsonOf(event)) as EventData["tool.started"];
      open.set(data.callId, { kind: "tool", at, data });
      return;
    }
    case "tool.finished":
      open.delete((JSON.parse(jsonOf(event)) as EventData["tool.finished"]).callId);
      return;
    case "text.started":
    case "reasoning.started": {
      const { messageId } = JSON.parse(jsonOf(event)) as EventData["text.started"];
      open.set(messageId, { kind: type === "text.started" ? "text" : "reasoning" });
      return;
    }
    case "text.finished":
    case "reasoning.finished":
      open.delete((JSON.parse(jsonOf(event)) as EventData["text.finished"]).messageId);
      return;
  }
}

function close(id: string, construct: Open, now: number): NewEvent {
  switch (construct.kind) {
    case "tool": {
      const { name, phase } = construct.data;
      const error = { code: "interrupted", message: "The attempt that ran this tool ended." };
      const durationMs = Math.max(0, now - construct.at);
      return {
        type: "tool.finished",
        data: { callId: id, name, phase, ok: false, error, durationMs },
      };
    }
    case "text":
      return { type: "text.finished", data: { messageId: id, interrupted: true } };
    case "reasoning":
      return { type: "reasoning.finished", data: { messageId: id, interrupted: true } };
  }
}
