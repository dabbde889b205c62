import { limits, type Outcome, type RunnerEvent } from "@millrace/contracts";
import { cutTail } from "../tools/tool-bounds.ts";

/**
 * Half of what the run object takes, in its own measure: characters of the encoded data. It refuses a larger
 * event for good, and the attempt with it, so nothing that a model or a command writes may get that far.
 */
const eventMaxChars = limits.inlineBodyMaxBytes / 2;
/** The answer is stored with the run and with its thread, encoded in both. */
const outputMaxChars = eventMaxChars;
const errorMaxChars = 2_000;
/** A provider that sends a whole answer in one piece; control characters take six times their number. */
const deltaMaxChars = 16 * 1024;
const previewChars = 16 * 1024;

interface Room {
  /** For each string. */
  readonly chars: number;
  /** For each list. */
  readonly items: number;
}

/** From generous to what always fits: the smallest still leaves ids and names whole, which pair events. */
const rooms: readonly Room[] = [
  { chars: 32 * 1024, items: 1_000 },
  { chars: 4 * 1024, items: 200 },
  { chars: 512, items: 50 },
  { chars: 64, items: 12 },
];

/** The event, its strings and lists cut as far as it takes to fit into the log. */
export function boundEvent(event: RunnerEvent): RunnerEvent {
  if (fits(event.data)) return event;
  for (const room of rooms) {
    const data = shrink(event.data, room);
    if (fits(data)) return { ...event, data } as RunnerEvent;
  }
  return { ...event, data: withPreviews(event.data) } as RunnerEvent;
}

/** The outcome with an answer, or an error, that fits into the log. */
export function boundOutcome(outcome: Outcome): Outcome {
  switch (outcome.kind) {
    case "succeeded":
      return { ...outcome, output: cutEncoded(outcome.output, outputMaxChars) };
    case "failed":
      return { ...outcome, error: cutTail(outcome.error, errorMaxChars) };
    case "cancelled":
    case "released":
      return outcome;
  }
}

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

function fits(data: unknown): boolean {
  return JSON.stringify(data).length <= eventMaxChars;
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
    const isSmall = JSON.stringify(value).length <= previewChars;
    return [key, isSmall ? value : cutTail(JSON.stringify(value), previewChars)];
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
