import { z } from "zod";
import { listFiles } from "./search.ts";
import { toolBounds } from "./tool-bounds.ts";
import { toolPath } from "./tool-path.ts";
import { type Tool } from "./tool.ts";

const Args = z.object({
  pattern: z
    .string()
    .min(1)
    .max(toolBounds.patternChars)
    .describe(
      "Glob such as `src/**/*.ts`, relative to path. `**/` also matches no directory at all.",
    ),
  path: z.string().default("").describe("Directory to search below. Empty: the workspace."),
});

/** Finds files by name. */
export const glob: Tool<z.infer<typeof Args>> = {
  name: "glob",
  description: "Finds files by a pattern of their paths. Answers paths relative to the workspace.",
  schema: Args,
  mutates: false,
  async execute(args, context) {
    const path = toolPath(context.workspace, args.path);
    const found = await listFiles(context.workspace, path, args.pattern, context.signal);
    const all = found.paths.map((name) => (path === "" ? name : `${path}/${name}`));
    const paths = all.slice(0, toolBounds.listMaxEntries);
    const left = all.length - paths.length;
    const { callId, phase } = context;
    return {
      output: { path, pattern: args.pattern, paths, total: all.length },
      content:
        [...paths, ...(left > 0 ? [`[${left} more files]`] : [])].join("\n") || "No file matches.",
      events: [
        {
          type: "file.read",
          data: { callId, op: "glob", path, phase, pattern: args.pattern, matchCount: all.length },
        },
      ],
    };
  },
};
