import type { Phase } from "@millrace/contracts";
import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";
import type { Plan } from "./parse-plan.ts";
import type { EngineStep, ToolCall } from "./step.ts";

type Of<Kind extends EngineStep["kind"]> = Extract<EngineStep, { readonly kind: Kind }>;
type Steps = readonly EngineStep[];

function isKind<Kind extends EngineStep["kind"]>(kind: Kind) {
  return (step: EngineStep): step is Of<Kind> => step.kind === kind;
}

/** The step of that kind, if the run has come that far. */
export function findStep<Kind extends EngineStep["kind"]>(
  steps: Steps,
  kind: Kind,
): Of<Kind> | undefined {
  return steps.find(isKind(kind));
}

export const planOf = (steps: Steps): Plan | undefined => findStep(steps, "planned")?.plan;

/** What has happened since the user last began a turn; the first begins with the run. */
export const currentTurn = (steps: Steps): Steps =>
  steps.slice(steps.findLastIndex(isKind("turn")) + 1);

const assistantSteps = (steps: Steps, phase: Phase): readonly Of<"assistant">[] =>
  currentTurn(steps)
    .filter(isKind("assistant"))
    .filter((step) => step.phase === phase);

/** How many answers the model has given in a phase, in this turn. */
export const answersIn = (steps: Steps, phase: Phase): number =>
  assistantSteps(steps, phase).length;

/** The last answer of a phase, if it called no tool: the phase is then over. */
export function finalAnswer(steps: Steps, phase: Phase): string | undefined {
  const last = assistantSteps(steps, phase).at(-1);
  return last && last.calls.length === 0 ? last.text : undefined;
}

/** Calls of the last answer that have no result yet. */
export function pendingCalls(steps: Steps, phase: Phase): readonly ToolCall[] {
  const done = new Set(steps.filter(isKind("tool")).map((step) => step.callId));
  const calls = assistantSteps(steps, phase).at(-1)?.calls ?? [];
  return calls.filter((call) => !done.has(call.callId));
}

/** All call ids of the run: none may be used twice. */
export const usedCallIds = (steps: Steps): ReadonlySet<string> =>
  new Set(steps.filter(isKind("assistant")).flatMap((step) => step.calls.map((c) => c.callId)));

/** What changed in the files, step by step. */
export const filesStates = (steps: Steps) =>
  steps.flatMap((step) => ("files" in step && step.files ? [step.files] : []));

/** A phase's part of the transcript as the model is given it. */
export function phaseMessages(steps: Steps, phase: Phase): readonly ChatCompletionMessageParam[] {
  const messages = steps.flatMap((step) => {
    if (step.kind === "assistant" && step.phase === phase) return [assistantMessage(step)];
    if (step.kind === "tool" && step.phase === phase) {
      const { callId, content } = step;
      return [{ role: "tool" as const, tool_call_id: callId, content }];
    }
    if (step.kind === "turn" && phase === "build") {
      return [{ role: "user" as const, content: step.content }];
    }
    return [];
  });
  return compact(messages);
}

function assistantMessage(step: Of<"assistant">): ChatCompletionMessageParam {
  if (step.calls.length === 0) return { role: "assistant", content: step.text };
  return {
    role: "assistant",
    content: step.text === "" ? null : step.text,
    tool_calls: step.calls.map((call) => ({
      id: call.callId,
      type: "function",
      function: { name: call.name, arguments: call.arguments },
      ...(call.extra === undefined ? {} : { extra_content: call.extra }),
    })),
  };
}

/** About 100,000 tokens: what every model of the table can take beside a prompt. */
const maxTranscriptChars = 400_000;
/** Results this close to the end are never dropped: the model is working with them. */
const keptMessages = 12;
const shortResultChars = 500;
const droppedResult = "[This result was dropped to save room. Call the tool again if you need it.]";

/**
 * Drops the oldest tool results, half of the room at a time, once a phase's messages outgrow it. What
 * is dropped after n messages depends on those n alone, so that the start of the conversation stays the
 * same from call to call and a provider's prompt cache goes on working.
 */
export function compact(
  messages: readonly ChatCompletionMessageParam[],
  maxChars = maxTranscriptChars,
): readonly ChatCompletionMessageParam[] {
  const kept: ChatCompletionMessageParam[] = [];
  let chars = 0;
  let from = 0;
  for (const message of messages) {
    kept.push(message);
    chars += sizeOf(message);
    if (chars <= maxChars) continue;
    for (; from < kept.length - keptMessages && chars > maxChars / 2; from += 1) {
      chars -= dropResult(kept, from);
    }
  }
  return kept;
}

function dropResult(messages: ChatCompletionMessageParam[], index: number): number {
  const message = messages[index];
  if (message?.role !== "tool" || sizeOf(message) <= shortResultChars) return 0;
  messages[index] = { ...message, content: droppedResult };
  return sizeOf(message) - droppedResult.length;
}

function sizeOf(message: ChatCompletionMessageParam): number {
  if (message.role === "tool") return message.content.length;
  return JSON.stringify(message).length;
}
