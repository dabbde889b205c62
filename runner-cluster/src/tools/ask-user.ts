import { limits } from "@millrace/contracts";
import { z } from "zod";
import { ToolRefusal, type Tool } from "./tool.ts";

const Args = z.object({
  question: z
    .string()
    .trim()
    .min(1)
    .max(limits.questionMaxChars)
    .describe("One question, with what its answer depends on, and the choices if there are any."),
});
type Args = z.infer<typeof Args>;

/** Offered where a user can answer. The engine itself answers it, since a run does not stay at work while it waits. */
export const askUser: Tool<Args> = {
  name: "ask_user",
  description:
    "Asks your user, and waits for the answer, perhaps for days. For decisions that are theirs and that nothing in the workspace answers.",
  schema: Args,
  mutates: false,
  execute() {
    return Promise.reject(new ToolRefusal("nobody_there", "Nobody can answer here: decide."));
  },
};
