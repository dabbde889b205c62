import type { ChatCompletionChunk } from "openai/resources/chat/completions";

/** A tool call as the model asked for it; `arguments` is what it wrote, JSON or not. */
export interface ModelToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
  /** What a provider attached and wants back with the message (Gemini's thought signatures). */
  readonly extra?: unknown;
}

type CallDelta = NonNullable<
  ChatCompletionChunk["choices"][number]["delta"]["tool_calls"]
>[number] & { readonly extra_content?: unknown };

interface OpenCall {
  id: string;
  name: string;
  arguments: string;
  extra?: unknown;
}

/** Puts tool calls together from the fragments in which they are streamed. */
export class ToolCallAssembler {
  readonly #calls: OpenCall[] = [];
  readonly #byIndex = new Map<number, OpenCall>();

  add(delta: CallDelta): void {
    const call = this.#callOf(delta);
    // Name and id come whole with the first fragment; some providers repeat them in each.
    call.id ||= delta.id ?? "";
    call.name ||= delta.function?.name ?? "";
    call.arguments += delta.function?.arguments ?? "";
    if (delta.extra_content !== undefined) call.extra = delta.extra_content;
  }

  finish(): readonly ModelToolCall[] {
    return this.#calls.filter((call) => call.name !== "");
  }

  #callOf(delta: CallDelta): OpenCall {
    const index = delta.index ?? 0;
    const open = this.#byIndex.get(index);
    // Some compatible endpoints send every whole call with index 0; a new id is then a new call.
    const isAnother = open && delta.id && open.id && delta.id !== open.id;
    if (open && !isAnother) return open;
    const call: OpenCall = { id: "", name: "", arguments: "" };
    this.#calls.push(call);
    this.#byIndex.set(index, call);
    return call;
  }
}
