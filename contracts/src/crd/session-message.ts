import { z } from "zod";
import { ruled } from "./rules.ts";

/** What the user says to the run. The id makes it one: the platform takes each once. */
const SessionMessage = z
  .object({
    id: z
      .string()
      .min(1)
      .max(63)
      .regex(/^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/),
    content: z.string().min(1).max(8192).optional(),
    finish: z.boolean().optional().describe("Nothing more follows: the run comes to its end."),
  })
  .meta(
    ruled(
      {
        rule: "has(self.content) != (has(self.finish) && self.finish)",
        message: "messages need either content or finish: true",
      },
      { rule: "self == oldSelf", message: "a message cannot be changed: add another" },
    ),
  );
export type SessionMessage = z.infer<typeof SessionMessage>;

export const SessionMessages = z
  .array(SessionMessage)
  .max(64)
  .describe("Answers and messages to the run, in order; each is sent once.")
  .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"] });
