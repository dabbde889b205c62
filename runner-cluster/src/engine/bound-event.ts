import { limits, type Outcome, type RunnerEvent } from "@millrace/contracts";
import type { AttemptEvent } from "../attempt/attempt.ts";
import { cutTail } from "../tools/tool-bounds.ts";

/** What the log takes as it is, the event's type included. The run object refuses more for good, and the attempt with it. */
const inlineMaxBytes = limits.inlineBodyMaxBytes - 1024;
/** The answer is stored with the run and with its thread, encoded in both. */
const outputMaxChars = limits.inlineBodyMaxBytes / 2;
const errorMaxChars = 2_000;
/** A provider that sends a whole answer in one piece; control characters take six times their number. */
const deltaMaxChars = 16 * 1024;
const fieldPreviewChars = 2 * 1024;

interface Room {
  /** For each string. */
  readonly chars: number;
  /** For each list. */
  readonly items: number;
}

/** From generous to what always fits: the smallest still leaves ids and names whole, which pair events. */
const rooms: readonly Room[] = [
  { chars: 4 * 1024, items: 200 },
  { chars: 512, items: 50 },
  { chars: 64, items: 12 },
  { chars: 64, items: 4 },
];

/**
 * The event, if the log takes it; else a preview of it, its strings and lists cut until it is short, with the whole beside
 * it. Of what is too large to be stored at all only the preview is left, and how large it was.
 */
export function boundEvent(event: RunnerEvent): AttemptEvent {
  const whole = JSON.stringify(event.data);
  const size = Buffer.byteLength(whole);
  if (size <= inlineMaxBytes) return event;
  const preview = { ...event, data: previewOf(event.data) } as RunnerEvent;
  if (size > limits.blobMaxBytes) return { ...preview, blob: { sha256: null, size } };
  return { ...preview, whole };
}

function previewOf(data: object): unknown {
  for (const room of rooms) {
    const preview = shrink(data, room);
    if (isPreview(preview)) return preview;
  }
  return withPreviews(data);
}

/** The outcome with an answer, or an error, that fits into the log. */
export function boundOutcome(outcome: Outcome): Outcome {
  switch (outcome.kind) {
    case "succeeded":
      return { ...outcome, output: cutEncoded(outcome.output, outputMaxChars) };
    case "failed":
      return { ...outcome, error: cutTail(outcome.error, errorMaxChars) };
    case "awaiting":
      return { ...outcome, question: outcome.question && cutQuestion(outcome.question) };
    case "cancelled":
    case "released":
      return outcome;
  }
}

const cutQuestion = (question: string): string => question.slice(0, limits.questionMaxChars);

/** Text as pieces of which each fits into an event; joined they are the text again. */
export function* piecesOf(text: string): Generator<string> {
  let from = 0;
  while (text.length - from > deltaMaxChars) {
    // Between the halves of a character a cut would leave two that are none.
    const splits = /[\uD800-\uDBFF]/.test(text.charAt(from + deltaMaxChars - 1));
    const to = from + deltaMaxChars - (splits ? 1 : 0);
    yield text.slice(from, to);
    from = to;
  }
  yield text.slice(from);
}

function isPreview(data: unknown): boolean {
  return Buffer.byteLength(JSON.stringify(data)) <= limits.eventPreviewMaxBytes;
}

function shrink(value: unknown, room: Room): unknown {
  if (typeof value === "string") return cutTail(value, room.chars);
  if (Array.isArray(value)) return value.slice(0, room.items).map((item) => shrink(item, room));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shrink(item, room)]));
}

/** What is large by its keys or its nesting can only be shown as text. */
function withPreviews(data: object): object {
  const fields = Object.entries(data).map(([key, value]) => {
    const json = JSON.stringify(value);
    return [key, json.length <= fieldPreviewChars ? value : cutTail(json, fieldPreviewChars)];
  });
  return Object.fromEntries(fields);
}

function cutEncoded(text: string, maxChars: number): string {
  let kept = text.length;
  while (kept > 0 && JSON.stringify(text.slice(0, kept)).length > maxChars) {
    kept = Math.floor(Math.min(kept, maxChars) * 0.8);
  }
  return cutTail(text, kept);
}
