import { createHash } from "node:crypto";
import { z } from "zod";
import { Scenario, Turn } from "./scenario.ts";

const Message = z.looseObject({
  role: z.string(),
  content: z.union([z.string(), z.array(z.json())]).nullish(),
});

/** The part of a Chat Completions request that decides what is answered. */
export const ModelRequest = z.looseObject({
  model: z.string(),
  stream: z.boolean().optional(),
  messages: z.array(Message).min(1),
  tools: z.array(z.looseObject({ function: z.looseObject({ name: z.string() }) })).optional(),
});
export type ModelRequest = z.infer<typeof ModelRequest>;

export interface SelectedTurn {
  readonly script: string;
  readonly phase: "plan" | "build";
  /** Place of the turn in its phase, from 0. */
  readonly index: number;
  readonly turn: Turn;
  readonly prompt: string;
  /** The same for requests with the same transcript: how a repeated call is recognised. */
  readonly key: string;
}

const defaultPlan = {
  summary: "Carry out the script.",
  todos: [{ id: "1", title: "Carry out the script" }],
};
const defaultPlanTurn = Turn.parse({
  text: `The script says what to do.\n\n\`\`\`json\n${JSON.stringify(defaultPlan)}\n\`\`\`\n`,
});
const lastTurn = Turn.parse({ text: "Done." });

/** Decides what the model answers. Keeps no state: the request alone says how far the run is. */
export function selectTurn(
  request: ModelRequest,
  scenarios: Readonly<Record<string, Scenario>>,
): SelectedTurn {
  const phase = hasTool(request, "run_command") ? "build" : "plan";
  const prompt = promptOf(request, phase);
  const { script, scenario } = findScenario(prompt, scenarios);
  const index = answersSinceUser(request);
  const turns = phase === "plan" ? (scenario.plan ?? [defaultPlanTurn]) : scenario.build;
  const key = keyOf(request, phase);
  return { script, phase, index, turn: turnAt(turns, index), prompt, key };
}

function turnAt(turns: readonly Turn[], index: number): Turn {
  let left = index;
  for (const turn of turns) {
    if (left < turn.repeat) return numbered(turn, index);
    left -= turn.repeat;
  }
  return lastTurn;
}

function numbered(turn: Turn, index: number): Turn {
  const json = JSON.stringify(turn).replaceAll("{i}", String(index));
  return Turn.parse(JSON.parse(json));
}

const textOf = (message: z.infer<typeof Message> | undefined): string =>
  typeof message?.content === "string" ? message.content : JSON.stringify(message?.content ?? "");

const inline = /\[scenario\]([\s\S]*?)\[\/scenario\]/;

/**
 * What the user asked for: while planning the last user message, while building the one before the instructions; in a
 * later turn what was said last.
 */
function promptOf(request: ModelRequest, phase: "plan" | "build"): string {
  const users = request.messages.filter((message) => message.role === "user");
  const last = users.at(-1);
  const isLater = phase === "build" && inline.test(textOf(last));
  const prompt = phase === "build" && !isLater ? (users.at(-2) ?? last) : last;
  return textOf(prompt);
}

function findScenario(prompt: string, scenarios: Readonly<Record<string, Scenario>>) {
  const script = inline.exec(prompt)?.[1];
  if (script) return { script: "inline", scenario: Scenario.parse(JSON.parse(script)) };
  const name = /\[script:([\w-]+)\]/.exec(prompt)?.[1] ?? "example";
  const scenario = scenarios[name];
  if (!scenario) throw new Error(`there is no script ${name}`);
  return { script: name, scenario };
}

function answersSinceUser(request: ModelRequest): number {
  const lastUser = request.messages.findLastIndex((message) => message.role === "user");
  return request.messages.slice(lastUser + 1).filter((message) => message.role === "assistant")
    .length;
}

const hasTool = (request: ModelRequest, name: string): boolean =>
  request.tools?.some((tool) => tool.function.name === name) ?? false;

/** System prompts differ from attempt to attempt; the rest of a repeated call does not. */
function keyOf(request: ModelRequest, phase: string): string {
  const transcript = request.messages.filter((message) => message.role !== "system");
  return createHash("sha256")
    .update(phase + JSON.stringify(transcript))
    .digest("hex")
    .slice(0, 16);
}
