import { z } from "zod";
import { ProjectId, RunId } from "../ids.ts";
import { limits } from "../limits.ts";

export const turnOptions = {
  interactive: z
    .boolean()
    .nullish()
    .describe("The model may ask its user; the run then waits for an answer by `input`."),
  keepOpen: z
    .boolean()
    .nullish()
    .describe("The end of a turn is not the run's: it waits for the next message by `input`."),
};

/** What a run waits for, as `/v1` shows it. */
export const RunWaiting = z
  .object({
    reason: z
      .enum(["stopped", "question", "input"])
      .describe("`stopped`: to be resumed. `question`: an answer. `input`: the next message."),
    question: z.string().nullable(),
    since: z.iso.datetime(),
  })
  .meta({ id: "RunWaiting" });
export type RunWaiting = z.infer<typeof RunWaiting>;

const Content = z
  .string()
  .overwrite((text) => text.toWellFormed())
  .max(limits.inputMaxChars)
  .refine((text) => text.trim().length > 0, "must not be blank")
  .meta({ minLength: 1 });

export const RunInput = z
  .object({
    content: Content.optional().describe("The answer to its question, or the next message."),
    finish: z
      .literal(true)
      .optional()
      .describe("Nothing more follows: the run comes to its end. Instead of `content`."),
  })
  .refine(({ content, finish }) => (content === undefined) === (finish === true), {
    message: "either `content` or `finish: true` is required",
    path: ["content"],
  })
  .meta({ id: "RunInput" });
export type RunInput = z.infer<typeof RunInput>;

export const RunInputTaken = z
  .object({
    id: RunId,
    projectId: ProjectId,
    n: z.int().positive().describe("Its number among the run's inputs, in `run.input` too."),
    created: z.boolean().describe("False: the key had been used for the same input."),
    status: z.enum(["queued", "running", "completed", "error", "cancelled"]),
    waiting: RunWaiting.nullable().describe("Null: the run goes on, or is over."),
  })
  .meta({ id: "RunInputTaken" });
export type RunInputTaken = z.infer<typeof RunInputTaken>;
