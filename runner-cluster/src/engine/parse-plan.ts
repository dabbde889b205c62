import { Todo } from "@millrace/contracts";
import { z } from "zod";

/** What the plan phase hands to the build phase and to whoever watches. */
export const Plan = z.object({ summary: z.string(), todos: z.array(Todo) });
export type Plan = z.infer<typeof Plan>;

const summaryMaxChars = 240;
const maxTodos = 200;

/**
 * Reads a plan out of whatever a model wrote: JSON in a fence, bare JSON, a list in Markdown, else a
 * plan of one step, so that a build always has something to carry out.
 */
export function parsePlan(text: string, prompt: string): Plan {
  return parseJsonPlan(text) ?? parseListPlan(text) ?? fallbackPlan(text, prompt);
}

function parseJsonPlan(text: string): Plan | undefined {
  for (const candidate of jsonCandidates(text)) {
    const plan = toPlan(parseJson(candidate));
    if (plan) return plan;
  }
  return undefined;
}

function jsonCandidates(text: string): readonly string[] {
  const fences = text.matchAll(/```(?:json)?[ \t]*\r?\n([\s\S]*?)```/gi);
  const inFences = [...fences].map((match) => match[1] ?? "");
  const whole = text.trim();
  return whole.startsWith("{") && whole.endsWith("}") ? [...inFences, whole] : inFences;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

type Fields = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function toPlan(value: unknown): Plan | undefined {
  if (!isObject(value)) return undefined;
  const list = [value["todos"], value["tasks"], value["steps"]].find((item) => Array.isArray(item));
  const todos = (list ?? [])
    .map((item: unknown, index: number) => toTodo(item, index))
    .filter((todo: Todo | undefined) => todo !== undefined)
    .slice(0, maxTodos);
  const summary = firstText(value, ["summary", "plan", "overview"]);
  if (!summary && todos.length === 0) return undefined;
  return { summary: summary ?? `Plan with ${todos.length} todo(s).`, todos };
}

function toTodo(item: unknown, index: number): Todo | undefined {
  const fields = typeof item === "string" ? { title: item } : item;
  if (!isObject(fields)) return undefined;
  const title = firstText(fields, ["title", "task", "todo", "name"]);
  if (!title) return undefined;
  const details = firstText(fields, ["details", "description"]);
  const criteria = fields["acceptanceCriteria"];
  const acceptanceCriteria = Array.isArray(criteria) ? criteria.filter(isText) : [];
  return {
    id: idOf(fields["id"]) ?? String(index + 1),
    title,
    ...(details ? { details } : {}),
    ...(acceptanceCriteria.length > 0 ? { acceptanceCriteria } : {}),
  };
}

function idOf(value: unknown): string | undefined {
  if (typeof value === "number") return String(value);
  return isText(value) ? value.trim() : undefined;
}

const isText = (value: unknown): value is string =>
  typeof value === "string" && value.trim() !== "";

function firstText(fields: Fields, names: readonly string[]): string | undefined {
  return names
    .map((name) => fields[name])
    .find(isText)
    ?.trim();
}

function parseListPlan(text: string): Plan | undefined {
  const titles = proseLines(text)
    .map((line) => /^\s*(?:[-*]|\d+[.)])\s+(?:\[ \]\s*)?(\S.*)$/.exec(line)?.[1]?.trim())
    .filter((title) => title !== undefined)
    .slice(0, maxTodos);
  if (titles.length === 0) return undefined;
  return {
    summary: firstLine(text) ?? `Plan with ${titles.length} todo(s).`,
    todos: titles.map((title, index) => ({ id: String(index + 1), title })),
  };
}

function fallbackPlan(text: string, prompt: string): Plan {
  const todo = {
    id: "1",
    title: "Implement requested change",
    details: "The planner did not write a list of steps; carry out the request as it stands.",
  };
  const summary = firstLine(text) ?? `Execution plan for: ${prompt.trim().slice(0, 120)}`;
  return { summary, todos: [todo] };
}

/** Lines that are neither heading, fence, nor blank. */
function proseLines(text: string): readonly string[] {
  return text.split(/\r?\n/).filter((line) => line.trim() !== "" && !/^\s*(?:#|```)/.test(line));
}

function firstLine(text: string): string | undefined {
  return proseLines(text)[0]?.trim().slice(0, summaryMaxChars);
}
