import { z } from "zod";

const ToolCall = z.object({
  name: z.string(),
  /** A string is sent as it stands, so that a test can send what is no JSON. */
  arguments: z.union([z.record(z.string(), z.json()), z.string()]).default({}),
  /** Left out: made from the place of the call, the same for every request with the same transcript. */
  id: z.string().optional(),
});

/** How often a fault happens to the same request; then the turn is played as if there were no fault. */
const times = z.int().positive().optional();

const Fault = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("status"),
    status: z.int(),
    message: z.string().default("scripted error"),
    retryAfter: z.string().optional(),
    times,
  }),
  /** The connection breaks after so many chunks. */
  z.object({ kind: z.literal("cut"), afterChunks: z.int().nonnegative().default(3), times }),
  /** The stream ends cleanly, but in the middle: no finish_reason, no `[DONE]`. */
  z.object({ kind: z.literal("truncate"), afterChunks: z.int().nonnegative().default(3), times }),
  /** Nothing more comes, and the connection stays open. */
  z.object({ kind: z.literal("silence"), afterChunks: z.int().nonnegative().default(0), times }),
]);
export type Fault = z.infer<typeof Fault>;

const Usage = z.object({
  prompt: z.int().default(100),
  completion: z.int().default(20),
  cached: z.int().optional(),
  reasoning: z.int().optional(),
});

export const Turn = z.object({
  text: z.string().default(""),
  reasoning: z.string().default(""),
  /** Adds this many copies of `text`: long streams without long scripts. */
  repeatText: z.int().positive().default(1),
  toolCalls: z.array(ToolCall).default([]),
  /** Wait before the first chunk. */
  delayMs: z.int().nonnegative().default(0),
  /** Wait between chunks. */
  tokenDelayMs: z.int().nonnegative().default(0),
  /** Null: the provider reports none. */
  usage: Usage.nullable().default({ prompt: 100, completion: 20 }),
  fault: Fault.optional(),
  /** The same turn this many times; `{i}` in arguments and text becomes the number of the turn, from 0. */
  repeat: z.int().positive().default(1),
});
export type Turn = z.infer<typeof Turn>;

/**
 * What the model does, turn by turn, in each phase. The turn is chosen by what the transcript already
 * holds, so a run that is resumed, on whatever runner, goes on where it was.
 */
export const Scenario = z.object({
  plan: z.array(Turn).optional(),
  build: z.array(Turn).default([]),
});
export type Scenario = z.infer<typeof Scenario>;
export type ScenarioInput = z.input<typeof Scenario>;

/** A prompt that carries its scenario: for tests that reach the model only through a run. */
export function promptFor(scenario: ScenarioInput, title = "scripted run"): string {
  return `${title}\n[scenario]${JSON.stringify(scenario)}[/scenario]`;
}
