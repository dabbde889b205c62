import { limits, RunnerToRun, type RunnerEvent } from "@millrace/contracts";

/** Parses what a runner sent; null when it is not this protocol. */
export function parseRunnerMessage(text: string): RunnerToRun | null {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return null;
  }
  return plainFrame(raw) ?? RunnerToRun.safeParse(raw).data ?? null;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Nearly every frame carries only text deltas and tool output. Those are checked by hand, to the same rules as
 * the schemas: zod cannot compile its parsers in workerd, and interpreting them costs more than the append itself.
 */
function plainFrame(raw: unknown): RunnerToRun | null {
  if (!isFields(raw)) return null;
  const { type, producerSeq, events, steps, outcome } = raw;
  if (type !== "frame" || steps !== undefined || outcome !== undefined) return null;
  if (!isPositiveInt(producerSeq)) return null;
  if (!Array.isArray(events) || events.length > 1000) return null;
  const plain: RunnerEvent[] = [];
  for (const event of events) {
    const parsed = plainEvent(event);
    if (parsed === null) return null;
    plain.push(parsed);
  }
  return { type: "frame", producerSeq, events: plain };
}

function plainEvent(raw: unknown): RunnerEvent | null {
  if (!isFields(raw) || !isFields(raw["data"])) return null;
  const { type, data, blob } = raw as { type: unknown; data: Fields; blob: unknown };
  if (blob !== undefined) return null;
  if (type === "text.delta" || type === "reasoning.delta") {
    const { messageId, text } = data;
    if (typeof messageId !== "string" || typeof text !== "string") return null;
    return { type, data: { messageId, text } };
  }
  if (type === "tool.output") return plainOutput(data);
  return null;
}

function plainOutput(data: Fields): RunnerEvent | null {
  const { callId, name, phase, stream, chunk, cmd } = data;
  if (typeof callId !== "string" || typeof name !== "string" || typeof chunk !== "string")
    return null;
  if (phase !== "plan" && phase !== "build") return null;
  if (stream !== "stdout" && stream !== "stderr") return null;
  const output = { callId, name, phase, stream, chunk } as const;
  if (cmd === undefined) return { type: "tool.output", data: output };
  return typeof cmd === "string" ? { type: "tool.output", data: { ...output, cmd } } : null;
}

function isPositiveInt(raw: unknown): raw is number {
  return Number.isSafeInteger(raw) && (raw as number) > 0;
}

function isFields(raw: unknown): raw is Fields {
  return typeof raw === "object" && raw !== null;
}

/** Is a line or an output small enough to lie in the log? */
export function fitsInline(text: string): boolean {
  return text.length <= limits.inlineBodyMaxBytes;
}
