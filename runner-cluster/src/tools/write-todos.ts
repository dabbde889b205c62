import { z } from "zod";
import { type Tool } from "./tool.ts";

const Args = z.object({
  todos: z
    .array(
      z.object({
        id: z.string().min(1).max(100),
        title: z.string().min(1).max(500),
        status: z.enum(["pending", "in_progress", "completed"]).default("pending"),
      }),
    )
    .max(100)
    .describe("The whole list, in order; it replaces the one before."),
});

/** Keeps the model's own list of what is to be done, for itself and for whoever watches. */
export const writeTodos: Tool<z.infer<typeof Args>> = {
  name: "write_todos",
  description:
    "Records the list of things to do and how far each is. Use it for work of several steps.",
  schema: Args,
  mutates: false,
  execute(args) {
    const open = args.todos.filter((todo) => todo.status !== "completed").length;
    return Promise.resolve({
      output: { todos: args.todos },
      content: `Noted ${args.todos.length} todo(s), ${open} open.`,
      events: [],
    });
  },
};
