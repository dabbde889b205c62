import { forEachEvent, type EncodedEvent, type EventType } from "@millrace/contracts";
import { projectEvent } from "./payload.ts";

/** Server-sent frames and where they end. */
export interface Frames {
  readonly text: string;
  /** Seq of the last event in `text`; the cursor it was made from when there is none. */
  readonly last: number;
}

/** Turns packed rows of a run's log into frames: every event after the cursor is exactly one. */
export function projectRows(rows: string, after: number, runId: string): Frames {
  let text = "";
  let last = after;
  let clock = { at: -1, iso: "" };
  forEachEvent(rows, after, (event) => {
    // A row has one time, and thousands of events may share it.
    if (event.at !== clock.at) clock = { at: event.at, iso: new Date(event.at).toISOString() };
    text += encodeFrame(event, clock.iso, runId);
    last = event.seq;
  });
  return { text, last };
}

/** One event as one frame of the event stream. */
export function encodeFrame(event: EncodedEvent, iso: string, runId: string): string {
  const { name, json } = encodePayload(event, runId);
  const { seq } = event;
  return `id: ${seq}\nevent: ${name}\ndata: {"id":${seq},"event":"${name}","data":${json},"ts":"${iso}"}\n\n`;
}

interface EncodedPayload {
  readonly name: string;
  readonly json: string;
}

function encodePayload(event: EncodedEvent, runId: string): EncodedPayload {
  const token = event.type === "text.delta" ? tokenOf(event.json) : null;
  if (token !== null) return { name: "token", json: `{"token":${token}}` };
  const data = JSON.parse(event.json) as Parameters<typeof projectEvent<EventType>>[1];
  const payload = projectEvent(event.type, data, runId);
  return { name: payload.event, json: JSON.stringify(payload.data) };
}

const messageIdOpens = '{"messageId":"';
const textOpens = '"text":';

/**
 * The encoded text of a `text.delta`, cut out of its JSON: nearly every event is one, and parsing each to
 * write it again would double the time of a replay. Null: not of the shape that the log writes, so parse.
 */
function tokenOf(json: string): string | null {
  if (!json.startsWith(messageIdOpens)) return null;
  const idEnd = json.indexOf('"', messageIdOpens.length);
  const textAt = idEnd + 2;
  if (!json.startsWith(textOpens, textAt) || json[idEnd - 1] === "\\") return null;
  const token = json.slice(textAt + textOpens.length, -1);
  return endsOnlyAtItsEnd(token) ? token : null;
}

/** Is this one JSON string and nothing after it? */
function endsOnlyAtItsEnd(token: string): boolean {
  let quote = token.indexOf('"', 1);
  while (quote !== -1 && isEscaped(token, quote)) quote = token.indexOf('"', quote + 1);
  return quote === token.length - 1;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text[at - 1 - backslashes] === "\\") backslashes += 1;
  return backslashes % 2 === 1;
}
