import type { Usage } from "@millrace/contracts";
import OpenAI from "openai";
import type {
  ChatCompletionChunk,
  ChatCompletionMessageParam,
  ChatCompletionTool,
} from "openai/resources/chat/completions";
import { ModelCallFailed, toModelFailure } from "./model-failure.ts";
import type { ResolvedModel } from "./resolve-model.ts";
import { ToolCallAssembler, type ModelToolCall } from "./tool-call-assembler.ts";

export interface CompletionRequest {
  readonly model: ResolvedModel;
  readonly messages: readonly ChatCompletionMessageParam[];
  readonly tools: readonly ChatCompletionTool[];
  readonly signal: AbortSignal;
  /** With no chunk for this long the call fails as silent. */
  readonly silenceMs: number;
  readonly fetch: typeof fetch;
  readonly onText: (text: string) => void;
  readonly onReasoning: (text: string) => void;
  /** Awaited between chunks: where the caller holds the model back. */
  readonly room: () => Promise<void>;
}

export interface Completion {
  readonly text: string;
  readonly toolCalls: readonly ModelToolCall[];
  readonly usage: Usage;
  readonly finishReason: string;
}

/**
 * Makes one streaming completion. Throws ModelCallFailed, or the signal's reason when that aborts.
 * It never repeats a call: whoever shows the partial answer must first say that it is dead.
 */
export async function complete(request: CompletionRequest): Promise<Completion> {
  const silence = new SilenceGuard(request.silenceMs);
  const signal = AbortSignal.any([request.signal, silence.signal]);
  const answer = new Answer(request);
  try {
    const stream = await openStream(request, signal);
    for await (const chunk of stream) {
      answer.add(chunk);
      silence.pause();
      await request.room();
      silence.heard();
    }
    // The SDK ends the loop without an error when the signal aborts.
    signal.throwIfAborted();
    return answer.finish();
  } catch (error) {
    if (request.signal.aborted) throw request.signal.reason;
    if (silence.signal.aborted) throw silence.signal.reason;
    throw new ModelCallFailed(toModelFailure(error, answer.begun, Date.now()), { cause: error });
  } finally {
    silence.pause();
  }
}

function openStream(request: CompletionRequest, signal: AbortSignal) {
  const { model } = request;
  // Null rather than absent: the SDK would read these from the environment of the runner.
  const client = new OpenAI({
    apiKey: model.apiKey,
    baseURL: model.baseUrl,
    adminAPIKey: null,
    organization: null,
    project: null,
    defaultHeaders: model.headers,
    fetch: request.fetch,
    maxRetries: 0,
    logLevel: "off",
  });
  const body = {
    model: model.model,
    messages: [...request.messages],
    ...(request.tools.length > 0 ? { tools: [...request.tools] } : {}),
    ...(model.asksForUsage ? { stream_options: { include_usage: true } } : {}),
    ...model.body,
    stream: true as const,
  };
  return client.chat.completions.create(body, { signal });
}

/** Aborts its signal when nothing was heard for a while. */
class SilenceGuard {
  readonly #controller = new AbortController();
  readonly #silenceMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(silenceMs: number) {
    this.#silenceMs = silenceMs;
    this.heard();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  heard(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#controller.abort(new ModelCallFailed({ kind: "silent", afterMs: this.#silenceMs }));
    }, this.#silenceMs);
  }

  /** While the caller holds the model back, its silence says nothing. */
  pause(): void {
    clearTimeout(this.#timer);
  }
}

/** Fields that providers add to a delta and the SDK does not know. */
type Delta = ChatCompletionChunk["choices"][number]["delta"] & {
  readonly reasoning_content?: string | null;
  readonly reasoning?: string | null;
};

/** What has arrived of one answer. */
class Answer {
  readonly #request: CompletionRequest;
  readonly #calls = new ToolCallAssembler();
  #text = "";
  #finishReason: string | null = null;
  #usage: ChatCompletionChunk["usage"] = null;
  begun = false;

  constructor(request: CompletionRequest) {
    this.#request = request;
  }

  add(chunk: ChatCompletionChunk): void {
    this.begun = true;
    // Some providers repeat growing totals in every chunk: the last one counts.
    this.#usage = chunk.usage ?? this.#usage;
    const choice = chunk.choices?.[0];
    if (!choice) return;
    this.#finishReason = choice.finish_reason ?? this.#finishReason;
    this.#addDelta(choice.delta ?? {});
  }

  finish(): Completion {
    // A connection that closes cleanly in the middle looks like the end of a stream.
    if (this.#finishReason === null) throw new Error("the stream closed before its end");
    return {
      text: this.#text,
      toolCalls: this.#calls.finish(),
      usage: toUsage(this.#usage),
      finishReason: this.#finishReason,
    };
  }

  #addDelta(delta: Delta): void {
    const reasoning = delta.reasoning_content ?? delta.reasoning;
    if (reasoning) this.#request.onReasoning(reasoning);
    if (delta.content) {
      this.#text += delta.content;
      this.#request.onText(delta.content);
    }
    for (const call of delta.tool_calls ?? []) this.#calls.add(call);
  }
}

function toUsage(usage: ChatCompletionChunk["usage"]): Usage {
  const { prompt_tokens_details: input, completion_tokens_details: output } = usage ?? {};
  return {
    inputTokens: count(usage?.prompt_tokens),
    outputTokens: count(usage?.completion_tokens),
    totalTokens: count(usage?.total_tokens),
    cachedInputTokens: count(input?.cached_tokens),
    reasoningOutputTokens: count(output?.reasoning_tokens),
  };
}

/** What a provider left out, or filled with something that is no count, is unknown. */
function count(value: number | null | undefined): number | null {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : null;
}
