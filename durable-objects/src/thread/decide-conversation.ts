import type { ConversationMessage } from "@millrace/contracts";

/** One earlier run: what was asked and, if it came to an answer, what was answered. */
export interface Turn {
  readonly prompt: string;
  readonly answer: string | null;
}

/**
 * The conversation that a run is given: whole turns, the newest that fit, oldest first. A newest turn that
 * alone is too long keeps its prompt and the beginning of its answer.
 */
export function decideConversation(
  newestFirst: Iterable<Turn>,
  maxChars: number,
): readonly ConversationMessage[] {
  const turns: Turn[] = [];
  let room = maxChars;
  for (const turn of newestFirst) {
    const chars = turn.prompt.length + (turn.answer?.length ?? 0);
    if (chars > room) {
      if (turns.length === 0) turns.push(cutTurn(turn, room));
      break;
    }
    room -= chars;
    turns.push(turn);
  }
  return turns.toReversed().flatMap(messagesOf);
}

function cutTurn(turn: Turn, maxChars: number): Turn {
  const prompt = turn.prompt.slice(0, maxChars);
  const answer = turn.answer?.slice(0, maxChars - prompt.length);
  return { prompt, answer: answer === undefined || answer === "" ? null : answer };
}

function messagesOf(turn: Turn): readonly ConversationMessage[] {
  const asked = { role: "user", content: turn.prompt } as const;
  return turn.answer === null ? [asked] : [asked, { role: "assistant", content: turn.answer }];
}
