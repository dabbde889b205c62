import type { ModelRequest, SelectedTurn } from "./select-turn.ts";

/** One request that the server saw. */
export interface RequestRecord {
  readonly at: number;
  readonly script: string;
  readonly phase: "plan" | "build";
  readonly index: number;
  /** The same for requests with the same transcript. */
  readonly key: string;
  /** 1 for the first request with this transcript, 2 for its repetition … */
  readonly tries: number;
  readonly model: string;
  /** What the user asked for, so that a test finds its own requests. */
  readonly prompt: string;
  readonly messages: readonly unknown[];
  readonly tools: readonly string[];
  /** As they came: what the client did not send is not there. */
  readonly sampling: Readonly<Record<string, unknown>>;
  endedAt: number | null;
  /** The client read the whole answer; false also when it went away. */
  completed: boolean;
}

const samplingFields: ReadonlySet<string> = new Set([
  "temperature",
  "max_tokens",
  "max_completion_tokens",
]);

const samplingOf = (request: ModelRequest) =>
  Object.fromEntries(Object.entries(request).filter(([name]) => samplingFields.has(name)));

const maxRecords = 5_000;

/** What was asked, in order: how a test shows that no call was repeated, or made after the end. */
export class RequestLog {
  readonly #records: RequestRecord[] = [];
  readonly #tries = new Map<string, number>();

  open(request: ModelRequest, selected: SelectedTurn): RequestRecord {
    const { script, phase, index, key } = selected;
    const tries = (this.#tries.get(key) ?? 0) + 1;
    this.#tries.set(key, tries);
    const record: RequestRecord = {
      at: Date.now(),
      script,
      phase,
      index,
      key,
      tries,
      model: request.model,
      prompt: selected.prompt,
      messages: request.messages,
      tools: (request.tools ?? []).map((tool) => tool.function.name),
      sampling: samplingOf(request),
      endedAt: null,
      completed: false,
    };
    this.#records.push(record);
    if (this.#records.length > maxRecords) this.#records.shift();
    return record;
  }

  close(record: RequestRecord, completed: boolean): void {
    record.endedAt = Date.now();
    record.completed = completed;
  }

  records(): readonly RequestRecord[] {
    return this.#records;
  }
}
