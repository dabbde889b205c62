import type { Phase } from "@millrace/contracts";
import type { ChatCompletionTool } from "openai/resources/chat/completions";
import { z } from "zod";
import { askUser } from "./ask-user.ts";
import { editFile } from "./edit-file.ts";
import { glob } from "./glob.ts";
import { grep } from "./grep.ts";
import { ls } from "./ls.ts";
import { readFile } from "./read-file.ts";
import { runCommand } from "./run-command.ts";
import type { Tool } from "./tool.ts";
import { writeFile } from "./write-file.ts";
import { writeTodos } from "./write-todos.ts";

/** A tool whose arguments were not looked at yet. Its own schema stands between the model and `execute`. */
type AnyTool = Omit<Tool<never>, "schema"> & {
  readonly schema: z.ZodType;
  readonly parameters?: RemoteTool["parameters"];
};

/** A tool of somebody else's, with the schema that they have for it. */
export type RemoteTool = Tool<Record<string, unknown>> & {
  readonly parameters: Readonly<Record<string, unknown>>;
};

const readers: readonly AnyTool[] = [ls, readFile, glob, grep, writeTodos];
const writers: readonly AnyTool[] = [writeFile, editFile, runCommand];

/** What exists in a phase. Planning cannot change anything because nothing that changes is there. */
const toolsets: Readonly<Record<Phase, readonly AnyTool[]>> = {
  plan: readers,
  build: [...readers, ...writers],
};

/** Where the model stands: in which phase, whether somebody may answer it, and what it has beside our own tools. */
export interface Place {
  readonly phase: Phase;
  readonly interactive: boolean;
  readonly remote: readonly RemoteTool[];
}

function toolsIn({ phase, interactive, remote }: Place): readonly AnyTool[] {
  const usable = phase === "build" ? remote : remote.filter(({ mutates }) => !mutates);
  return [...toolsets[phase], ...usable, ...(interactive ? [askUser] : [])];
}

/** The tool of that name in that place. */
export function findTool(place: Place, name: string): AnyTool | undefined {
  return toolsIn(place).find((tool) => tool.name === name);
}

/** A place's tools as the model is told of them. */
export function describeTools(place: Place): readonly ChatCompletionTool[] {
  return toolsIn(place).map((tool) => ({
    type: "function",
    function: {
      name: tool.name,
      description: tool.description,
      parameters: tool.parameters ?? parametersOf(tool.schema),
    },
  }));
}

/** Keywords that some compatible endpoints refuse. What they demand is checked by our own parse anyway. */
const dropped = new Set([
  "$schema",
  "additionalProperties",
  "minimum",
  "maximum",
  "exclusiveMinimum",
]);

function parametersOf(schema: z.ZodType): Record<string, unknown> {
  const json = JSON.stringify(z.toJSONSchema(schema, { io: "input" }), (key, value: unknown) =>
    dropped.has(key) ? undefined : value,
  );
  return JSON.parse(json) as Record<string, unknown>;
}
