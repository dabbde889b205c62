import { Phase } from "@millrace/contracts";
import { z } from "zod";
import { ClonedRepo } from "../repos/cloned-repo.ts";
import { Plan } from "./parse-plan.ts";

export const ToolCall = z.object({
  callId: z.string(),
  name: z.string(),
  arguments: z.string(),
  extra: z.json().optional(),
});
export type ToolCall = z.infer<typeof ToolCall>;

/** The files as a step left them: a tree, and a pack of what is new in it. */
const FilesState = z.object({ tree: z.string(), pack: z.string().nullable() });

/**
 * What a checkpoint step says. Together, in order, they are all that a later attempt knows of the
 * earlier ones: the transcript, the files, and how far the run has come.
 */
export const EngineStep = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("begun") }),
  z.object({
    kind: z.literal("assistant"),
    phase: Phase,
    text: z.string(),
    calls: z.array(ToolCall),
  }),
  z.object({
    kind: z.literal("tool"),
    phase: Phase,
    callId: z.string(),
    content: z.string(),
    files: FilesState.optional(),
    /** The user's input that is its answer. */
    heard: z.int().positive().optional(),
  }),
  /** What the user said when the turn before was over. */
  z.object({ kind: z.literal("turn"), heard: z.int().positive(), content: z.string() }),
  /** What the run starts with. `files` are the state that later changes build on. */
  z.object({ kind: z.literal("cloned"), repos: z.array(ClonedRepo), files: FilesState }),
  z.object({ kind: z.literal("planned"), plan: Plan }),
  z.object({ kind: z.literal("built"), output: z.string() }),
  z.object({ kind: z.literal("committed") }),
  z.object({ kind: z.literal("pushed") }),
  /** Null: it was refused for its size, and will be again. */
  z.object({ kind: z.literal("archived"), key: z.string().nullable() }),
]);
export type EngineStep = z.infer<typeof EngineStep>;
