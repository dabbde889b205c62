import type { SelectedTurn } from "./select-turn.ts";

/** One SSE chunk of a Chat Completions stream. */
export interface Chunk {
  readonly id: string;
  readonly object: "chat.completion.chunk";
  readonly created: number;
  readonly model: string;
  readonly choices: readonly unknown[];
  readonly usage?: unknown;
}

/** The chunks of a whole answer, as OpenAI cuts them: role, text word by word, tool calls in fragments, end, usage. */
export function makeChunks(
  selected: SelectedTurn,
  model: string,
  withUsage: boolean,
): readonly Chunk[] {
  const { turn } = selected;
  const head = {
    id: `chatcmpl-${selected.key}`,
    object: "chat.completion.chunk" as const,
    created: Math.floor(Date.now() / 1000),
    model,
  };
  const chunk = (delta: unknown, finish: string | null = null): Chunk => ({
    ...head,
    choices: [{ index: 0, delta, finish_reason: finish }],
  });
  const calls = turn.toolCalls.flatMap((_, index) => callDeltas(selected, index));
  return [
    chunk({ role: "assistant", content: "" }),
    ...words(turn.reasoning).map((text) => chunk({ reasoning_content: text })),
    ...words(turn.text.repeat(turn.repeatText)).map((text) => chunk({ content: text })),
    ...calls.map((call) => chunk({ tool_calls: [call] })),
    chunk({}, turn.toolCalls.length > 0 ? "tool_calls" : "stop"),
    ...(withUsage && turn.usage ? [{ ...head, choices: [], usage: usageOf(turn.usage) }] : []),
  ];
}

/** Words with the blanks before them; joined they are the text again. */
const words = (text: string): readonly string[] => text.match(/\s*\S+|\s+$/g) ?? [];

function callDeltas(selected: SelectedTurn, index: number): readonly unknown[] {
  const call = selected.turn.toolCalls[index];
  if (!call) return [];
  const written = call.arguments;
  const json = typeof written === "string" ? written : JSON.stringify(written);
  const id = call.id ?? `call_${selected.phase}_${selected.index}_${index}`;
  const fragments = json.match(/[\s\S]{1,32}/g) ?? [];
  return [
    { index, id, type: "function", function: { name: call.name, arguments: "" } },
    ...fragments.map((fragment) => ({ index, function: { arguments: fragment } })),
  ];
}

function usageOf(usage: NonNullable<SelectedTurn["turn"]["usage"]>) {
  const { prompt, completion, cached, reasoning } = usage;
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    ...(cached === undefined ? {} : { prompt_tokens_details: { cached_tokens: cached } }),
    ...(reasoning === undefined
      ? {}
      : { completion_tokens_details: { reasoning_tokens: reasoning } }),
  };
}
