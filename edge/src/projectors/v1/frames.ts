import {
  blobField,
  EventBlob,
  forEachEvent,
  jsonOf,
  type EncodedEvent,
  type EventData,
  type EventType,
} from "@millrace/contracts";
import { projectEvent } from "./payload.ts";

/** Server-sent frames and where they end. */
export interface Frames {
  readonly text: string;
  /** Seq of the last event in `text`; the cursor it was made from when there is none. */
  readonly last: number;
  /** False: a character waits for its end, which who comes in later would not understand. */
  readonly isWhole?: boolean;
}

/** The run whose frames these are, as its URLs name it. */
export interface FramedRun {
  readonly projectId: string;
  readonly runId: string;
}

/** Turns packed rows of a run's log into frames: every event after the cursor is exactly one. */
export function projectRows(rows: string, after: number, run: FramedRun): Frames {
  let text = "";
  let last = after;
  // A row has one time, and thousands of events may share it.
  let at = -1;
  let tail = "";
  forEachEvent(rows, after, (event) => {
    if (event.at !== at) {
      at = event.at;
      tail = `,"ts":"${new Date(at).toISOString()}"}\n\n`;
    }
    const token = event.type === "text.delta" ? tokenOf(event) : null;
    text += token === null ? encodeFrame(event, run) + tail : encodeToken(event.seq, token) + tail;
    last = event.seq;
  });
  return { text, last };
}

// Replays are made of these. Pieces that are added up are faster here than a template, by a third.
function encodeToken(seq: number, token: string): string {
  const id = String(seq);
  return "id: " + id + tokenOpens + id + tokenGoesOn + token + "}";
}

const tokenOpens = '\nevent: token\ndata: {"id":';
const tokenGoesOn = ',"event":"token","data":{"token":';

/** A frame up to its time. */
function encodeFrame(event: EncodedEvent, run: FramedRun): string {
  const { seq } = event;
  const stored = JSON.parse(jsonOf(event)) as EventData[EventType] & { [blobField]?: unknown };
  const { [blobField]: blob, ...data } = stored;
  const payload = projectEvent(event.type, data, run.runId);
  const { event: name } = payload;
  const json = JSON.stringify(
    blob === undefined ? payload.data : { ...payload.data, ...linkTo(EventBlob.parse(blob), run) },
  );
  return `id: ${seq}\nevent: ${name}\ndata: {"id":${seq},"event":"${name}","data":${json}`;
}

/** What a preview says about the whole: where it is, or how large it was. */
function linkTo({ sha256, size }: EventBlob, { projectId, runId }: FramedRun): object {
  if (sha256 === null) return { cut: { size } };
  const url = `/v1/projects/${projectId}/runs/${runId}/blobs/${sha256}`;
  return { blob: { sha256, size, url } };
}

const messageIdOpens = '{"messageId":"';
const textOpens = '"text":';

/**
 * The encoded text of a `text.delta`, cut out of the rows: nearly every event is one, and parsing each to
 * write it again would double the time of a replay. Null: not of the shape that the log writes, so parse.
 */
function tokenOf({ rows, start, end }: EncodedEvent): string | null {
  if (!rows.startsWith(messageIdOpens, start)) return null;
  const idEnd = rows.indexOf('"', start + messageIdOpens.length);
  const tokenAt = idEnd + 2 + textOpens.length;
  if (!rows.startsWith(textOpens, idEnd + 2) || rows[idEnd - 1] === "\\") return null;
  return endsAt(rows, tokenAt, end - 2) ? rows.slice(tokenAt, end - 1) : null;
}

/** Does the JSON string that opens at `start` close at `last`, and nowhere before? */
function endsAt(text: string, start: number, last: number): boolean {
  let quote = text.indexOf('"', start + 1);
  while (quote !== -1 && isEscaped(text, quote)) quote = text.indexOf('"', quote + 1);
  return quote === last;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text[at - 1 - backslashes] === "\\") backslashes += 1;
  return backslashes % 2 === 1;
}
