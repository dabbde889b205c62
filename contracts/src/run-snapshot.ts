import { z } from "zod";
import { addUsage } from "./add-usage.ts";
import { Phase, Todo, Usage, type EventData, type EventType } from "./event.ts";
import { Json, type JsonValue } from "./json.ts";
import { forEachEvent, jsonOf, type EncodedEvent } from "./log-frame.ts";
import { RunStatus } from "./run.ts";

/** What stands in the place of JSON that is too large for a snapshot: event `seq` of the log has it. */
const Cut = z.object({ cut: z.object({ seq: z.int(), size: z.int() }) });

const SnapshotText = z.object({
  role: z.enum(["assistant", "reasoning"]),
  id: z.string(),
  /** Seq of the event that began it. */
  seq: z.int(),
  phase: Phase,
  text: z.string(),
  /** Characters at the text's front that are left out: it was too long. */
  omittedChars: z.int().nonnegative(),
  /** Nothing is added any more. */
  finished: z.boolean(),
  interrupted: z.boolean(),
});

const SnapshotTool = z.object({
  role: z.literal("tool"),
  /** The call's id. */
  id: z.string(),
  seq: z.int(),
  phase: Phase,
  name: z.string(),
  input: z.union([Cut, Json]),
  /** Null while it runs. */
  ok: z.boolean().nullable(),
  /** What it answered, or `{code, message}` when it is not ok; null while it runs. */
  output: z.union([Cut, Json]).nullable(),
});

/** A run as it was when event `at` had happened: what a reader has who followed it from the start. */
export const RunSnapshot = z.object({
  state: z.object({
    status: RunStatus,
    attempt: z.int().nonnegative(),
    phase: Phase.nullable(),
    plan: z.object({ summary: z.string(), todos: z.array(Todo) }).nullable(),
    provider: z.string().nullable(),
    model: z.string().nullable(),
    usage: Usage.nullable(),
    output: z.string().nullable(),
    error: z.object({ code: z.string(), error: z.string() }).nullable(),
    /** Paths that the run changed, each once, in the order of the last change. */
    changedFiles: z.array(z.string()),
    /** Messages at the front that are left out: there were too many. */
    omittedMessages: z.int().nonnegative(),
  }),
  /** Texts and tool calls in order. What a dead attempt left and a later one replaced is not among them. */
  messages: z.array(z.discriminatedUnion("role", [SnapshotText, SnapshotTool])),
  at: z.int().nonnegative(),
});
export type RunSnapshot = z.infer<typeof RunSnapshot>;

type State = RunSnapshot["state"];
type Message = RunSnapshot["messages"][number];
type TextMessage = z.infer<typeof SnapshotText>;

const maxJsonChars = 16 * 1024;
const maxTextChars = 32 * 1024;
const maxMessages = 500;
const maxChangedFiles = 2_000;

/** A run of which nothing is known yet. */
export function emptySnapshot(): RunSnapshot {
  return {
    state: {
      status: "queued",
      attempt: 0,
      phase: null,
      plan: null,
      provider: null,
      model: null,
      usage: null,
      output: null,
      error: null,
      changedFiles: [],
      omittedMessages: 0,
    },
    messages: [],
    at: 0,
  };
}

/** A snapshot in the making: tokens by the hundred thousand are added to it, so it changes in place. */
export class SnapshotFold {
  readonly #state: State;
  readonly #messages = new Map<string, Message>();
  readonly #files: Set<string>;
  #at: number;

  constructor(from: RunSnapshot = emptySnapshot()) {
    this.#state = { ...from.state };
    this.#files = new Set(from.state.changedFiles);
    for (const message of from.messages) this.#messages.set(keyOf(message), { ...message });
    this.#at = from.at;
  }

  get at(): number {
    return this.#at;
  }

  /** Adds every event of the rows that it does not know yet. */
  add(rows: string): void {
    forEachEvent(rows, this.#at, (event) => {
      this.#addEvent(event);
      this.#at = event.seq;
    });
  }

  snapshot(): RunSnapshot {
    const changedFiles = [...this.#files];
    return {
      state: { ...this.#state, changedFiles },
      messages: [...this.#messages.values()].map((message) => ({ ...message })),
      at: this.#at,
    };
  }

  #addEvent(event: EncodedEvent): void {
    const { type } = event;
    if (type.startsWith("text.") || type.startsWith("reasoning.")) return this.#addText(event);
    if (type.startsWith("tool.")) return this.#addTool(event);
    if (type === "file.changed") return this.#addFile(dataOf(event, type).path);
    if (type === "run.started") this.#supersede(dataOf(event, type).supersedes?.from);
    if (type === "usage") this.#state.usage = addUsage(this.#state.usage, dataOf(event, type));
    Object.assign(this.#state, changeOf(event));
  }

  #addText(event: EncodedEvent): void {
    const { type, seq } = event;
    const role = type.startsWith("text.") ? "assistant" : "reasoning";
    const data = JSON.parse(jsonOf(event)) as TextData;
    const id = data.messageId;
    if (type.endsWith(".started")) {
      const { phase = "plan" } = data;
      const empty = { text: "", omittedChars: 0, finished: false, interrupted: false };
      return this.#insert({ role, id, seq, phase, ...empty });
    }
    const known = this.#messages.get(`${role}:${id}`);
    if (known === undefined || known.role === "tool") return;
    if (type.endsWith(".delta")) addTo(known, data.text ?? "");
    else {
      known.finished = true;
      known.interrupted = data.interrupted === true;
    }
  }

  #addTool(event: EncodedEvent): void {
    const { type, seq } = event;
    if (type === "tool.started") {
      const { callId: id, name, phase, input } = dataOf(event, type);
      this.#insert({
        role: "tool",
        id,
        seq,
        phase,
        name,
        input: cutLarge(input, event),
        ok: null,
        output: null,
      });
    }
    if (type !== "tool.finished") return;
    const data = dataOf(event, type);
    const known = this.#messages.get(`tool:${data.callId}`);
    if (known?.role !== "tool") return;
    known.ok = data.ok;
    known.output = cutLarge(data.ok ? data.output : data.error, event);
  }

  #addFile(path: string): void {
    this.#files.delete(path);
    this.#files.add(path);
    const [oldest] = this.#files;
    if (this.#files.size > maxChangedFiles && oldest !== undefined) this.#files.delete(oldest);
  }

  #insert(message: Message): void {
    this.#messages.set(keyOf(message), message);
    const [oldest] = this.#messages.keys();
    if (this.#messages.size <= maxMessages || oldest === undefined) return;
    this.#messages.delete(oldest);
    this.#state.omittedMessages += 1;
  }

  #supersede(from: number | undefined): void {
    if (from === undefined) return;
    for (const [key, { seq }] of this.#messages) if (seq >= from) this.#messages.delete(key);
  }
}

/** Of any of the text events. */
type TextData = EventData["text.finished"] &
  Partial<EventData["text.started"] & EventData["text.delta"]>;

function addTo(message: TextMessage, more: string): void {
  message.text += more;
  // Cut in large steps: each cut copies the text.
  const excess = message.text.length - maxTextChars;
  if (excess < maxTextChars) return;
  message.text = message.text.slice(excess);
  message.omittedChars += excess;
}

const keyOf = ({ role, id }: Message): string => `${role}:${id}`;

function dataOf<T extends EventType>(event: EncodedEvent, _type: T): EventData[T] {
  return JSON.parse(jsonOf(event)) as EventData[T];
}

function cutLarge(value: JsonValue, { seq, start, end }: EncodedEvent): JsonValue {
  // The event holds little besides: when it is small, so is the value.
  if (end - start <= maxJsonChars) return value;
  return { cut: { seq, size: end - start } };
}

/** What an event says of the run as a whole. */
function changeOf(event: EncodedEvent): Partial<State> {
  const { type } = event;
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- the others say nothing of the whole
  switch (type) {
    case "run.started":
      return { status: "running", attempt: dataOf(event, type).attempt };
    case "run.retrying":
    case "run.resumed":
      return { status: "queued" };
    case "run.waiting":
      return { status: "waiting" };
    case "run.cancelling":
      return { status: "cancelling" };
    case "run.succeeded": {
      const { output, usage } = dataOf(event, type);
      return { status: "succeeded", output, usage };
    }
    case "run.failed": {
      const { code, error, reason, usage } = dataOf(event, type);
      const cause = { code, error, ...(reason !== undefined && { reason }) };
      return { status: "failed", error: cause, usage };
    }
    case "run.cancelled":
      return { status: "cancelled" };
    default:
      return progressOf(event);
  }
}

function progressOf(event: EncodedEvent): Partial<State> {
  const { type } = event;
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- the others say nothing of the whole
  switch (type) {
    case "run.phase":
      return { phase: dataOf(event, type).phase };
    case "run.plan": {
      const { summary, todos } = dataOf(event, type);
      return { plan: { summary, todos } };
    }
    case "model.resolved": {
      const { provider, model } = dataOf(event, type);
      return { provider, model };
    }
    default:
      return {};
  }
}
